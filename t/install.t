#!/usr/bin/env perl
# The installed tree: complete, and it works wherever it is moved.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

is(install_tree(), undef, 'make install');
ok(-x "$dir/usr/bin/osvm", 'the executable');
ok(-f "$dir/usr/include/osvm/plugin.h", 'the headers');
ok(scalar(glob("$dir/usr/lib/osvm/64/*.so")), 'the plugins');
ok(-f "$dir/usr/share/$_", "share/$_")
    for 'man/man1/osvm.1', 'bash-completion/completions/osvm', 'zsh/site-functions/_osvm';
is(`PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig pkg-config --variable=plugindir osvm`, "/usr/lib/osvm\n",
    'pkg-config') if system('pkg-config --version >/dev/null 2>&1') == 0;

rename("$dir/usr", "$dir/moved") or die;
my $list = `cd / && '$dir/moved/bin/osvm' plugins`;
is($?, 0, 'it runs from another place');
like($list, qr{^ +\Q$dir\E/moved/lib/osvm/64/gc-compact\.so$}m, '... and finds its plugins there');
symlink("$dir/moved/bin/osvm", "$dir/link") or die;
$list = `'$dir/link' plugins`;
like($list, qr{/moved/lib/osvm/64/gc-compact\.so}, '... through a symbolic link as well');

# A third party's view: each header stands alone, in C and in C++.
for my $path (glob("$dir/moved/include/osvm/*.h")) {
    my ($name) = $path =~ m{([^/]+)$};
    for my $bits (32, 64) {
        my $said = `echo '#include "osvm/$name"' | $ENV{CC} -std=gnu11 -Wall -Wextra -Wno-unused-parameter -DWORD_BITS=$bits -I$dir/moved/include -fsyntax-only -xc - 2>&1`;
        is($said, '', "$name alone, $bits bits");
    }
}
done_testing();
