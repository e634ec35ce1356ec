#!/usr/bin/env perl
# Large programs, both widths: deep recursion, long lists, many processes. The full sizes (a million
# frames and processes, ten million nodes) run with OSVM_TEST_LONG set.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $osvm = $ENV{OSVM} || 'build/osvm';
my $dir  = tempdir(CLEANUP => 1);
my $part = $ENV{OSVM_TEST_LONG} ? 1 : 20;
my %programs = ('depth:' => 1_000_000, 'links:' => 10_000_000, 'processes:' => 1_000_000);

for my $bits (64, 32) {
    for my $program (sort keys %programs) {
        my $n = $programs{$program} / $part;
        is(system($osvm, 'build', "--bits=$bits", "--start=ScaleProgram run: #$program with: $n", '-o', "$dir/t.image",
            'image', 't/control/Control'), 0, "w$bits: built: $program");
        is(`$osvm $dir/t.image 2>&1`, "$n\n", "w$bits: $program $n");
    }
}
done_testing();
