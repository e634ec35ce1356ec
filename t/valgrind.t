#!/usr/bin/env perl
# A program of control primitives under valgrind, production code, both widths. With OSVM_TEST_LONG
# only, and where there is a valgrind.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

plan skip_all => 'runs with OSVM_TEST_LONG' unless $ENV{OSVM_TEST_LONG};
plan skip_all => 'there is no valgrind' if system('valgrind --version > /dev/null 2>&1') != 0;
plan skip_all => 'sanitized code does not run there' if `nm -D @{[$ENV{OSVM} || 'build/osvm']} 2>&1` =~ /__asan/;

my $osvm = $ENV{OSVM} || 'build/osvm';
my $dir  = tempdir(CLEANUP => 1);
for my $bits (64, 32) {
    is(system($osvm, 'build', "--bits=$bits", '--start=ControlProgram run', '-o', "$dir/t.image", 'image',
        't/control/Control'), 0, "w$bits: built");
    my $output = `valgrind -q --error-exitcode=99 $osvm --jit=none $dir/t.image 2>&1`;
    is($? >> 8, 0, "w$bits: valgrind finds nothing") or diag($output);
    like($output, qr/^deepUnwind: out$/m, "w$bits: to the end");
}
done_testing();
