#!/usr/bin/perl
# The example collector, built out of tree against the installed headers alone, passes the suite that
# ours pass, and runs the built-in image.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $build = $ENV{BUILD} or BAIL_OUT('BUILD is not set');
my $osvm = $ENV{OSVM};
my $dir = tempdir(CLEANUP => 1);
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS OSVM_PLUGIN_PATH)};

my $log = `make install BUILD='$build' INSTALL_ONLY=yes DESTDIR='$dir' PREFIX=/usr 2>&1`;
is($?, 0, 'the headers are installed') or BAIL_OUT($log);
system("cp -r examples/gc-minimal '$dir/example'") == 0 or BAIL_OUT('no example');
my $sanitize = $build =~ /sanitize/ ? '-fsanitize=address,undefined' : '';
$log = `make -C '$dir/example' PREFIX='$dir/usr' CFLAGS='-O2 -Werror -Wno-unused-parameter $sanitize' CC='$ENV{CC}' 2>&1`;
is($?, 0, 'the example builds, without a warning') or diag($log);

my $lines = () = `cat examples/gc-minimal/minimal.c` =~ /\n/g;
cmp_ok($lines, '<', 300, "it is short: $lines lines");

for my $bits (32, 64) {
    for my $variant ('', '.checked') {
        my $file = "$dir/example/$bits/gc-minimal$variant.so";
        my $said = `'$build/t/heap_gc_conformance.$bits' '$file' 2>&1`;
        is($?, 0, "conformance suite, $bits bits$variant");
        my @failed = grep { /^not ok/ } split /\n/, $said;
        is(scalar @failed, 0, '... nothing failed') or diag(join "\n", @failed);
        like($said, qr{^ok 1 - gc/minimal/w$bits/}m, '... and it was this collector');
    }
    my $program = '| all | 1 to: 8 do: [:j | all := OrderedCollection new. '
        . '1 to: 20000 do: [:i | all add: i printString]. ]. all size';
    for my $gc ('minimal', 'minimal:checked') {
        my $said = `'$osvm' --plugin-path='$dir/example' --bits=$bits --gc=$gc --torture=collect:40000 --leak-check -e '$program' 2>&1`;
        is($said, "20000\n", "--gc=$gc runs the image, $bits bits");
    }
}
done_testing();
