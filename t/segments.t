#!/usr/bin/env perl
# Image segments whose words were changed at random: they load or are refused, and the heap stays sound.
# OSVM_FUZZ_SEED sets the seed, OSVM_FUZZ_ROUNDS how many are tried.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $seed   = $ENV{OSVM_FUZZ_SEED}   || 1;
my $rounds = $ENV{OSVM_FUZZ_ROUNDS} || 400;
diag("seed $seed");
for my $options ('--bits=64', '--bits=32', '--bits=64 --check --gc=sweep,lazy', '--bits=32 --check --torture=move,collect:300') {
    my @lines = split /\n/, `timeout 1800 $osvm $options t/segments/fuzz.st $seed $rounds 2>&1`;
    is($?, 0, "$options: exit status (seed $seed)") or diag(join "\n", @lines[-20 .. -1]);
    is($lines[-1], 'leaks 0', "$options: the heap is sound");
    my %count = map { /^(.*) (\d+)$/ ? ($1 => $2) : () } @lines;
    cmp_ok($count{loaded} // 0, '>', 0, "$options: some are loaded");
    cmp_ok($count{'bad index'} // 0, '>', 0, "$options: some are refused");
}
done_testing();
