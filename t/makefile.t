#!/usr/bin/env perl
# What make builds again, and what not: the Makefile over a tree of one plugin.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Path qw(make_path);
use Test::More;
use lib 't/support';
use OsvmTest;

my $root = abs_path('.');
# What the make that runs the tests was told in its command line is in the environment of a test.
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS BUILD CFLAGS LDFLAGS PREFIX DESTDIR SANITIZE JIT WERROR O V)};

# What was compiled and linked of the plugin, without folders.
sub built {
    my ($options) = (@_, '');
    my $said = `cd '$dir' && make CC='@{[$ENV{CC} // 'cc']}' $options build/lib/osvm/any/prims-one.so 2>&1`;
    is($?, 0, 'make') or diag($said);
    return join ' ', sort map { m,^  (?:cc|ld)  .*/([\w.-]+)$, ? $1 : () } split /\n/, $said;
}

make_path("$dir/plugins/prims/one", "$dir/tools");
symlink "$root/$_", "$dir/$_" or die $! for 'Makefile', 'tools/setup';
write_file('plugins/prims/one/one.c', "int one(void);\nint one(void) { return 1; }\n");
write_file('plugins/prims/one/plugin.mk', "CFLAGS_prims-one = -DA\n");
is(built(), 'one.o prims-one.so', 'all of it, at first');
is(built(), '', 'nothing, where nothing has changed');
write_file('plugins/prims/one/plugin.mk', "CFLAGS_prims-one = -DB\n");
is(built(), 'one.o prims-one.so', 'flags of the plugin have changed');
write_file('plugins/prims/one/plugin.mk', "CFLAGS_prims-one = -DB\nLDLIBS_prims-one = -lm\n");
like(built(), qr/prims-one\.so/, 'a library it needs has changed');
write_file('plugins/prims/one/two.c', "int two(void);\nint two(void) { return 2; }\n");
utime 1, 1, "$dir/plugins/prims/one/two.c";
is(built(), 'prims-one.so two.o', 'a new file, if older than the plugin');
is(built(), '', 'and nothing again');
like(built('O=0'), qr/one\.o prims-one\.so two\.o/, 'other options of make');
done_testing();
