#!/usr/bin/env perl
# Random methods, the same in the interpreter, in machine code and on the simulated processor: t/fuzz/jit,
# briefly, and at length with OSVM_TEST_LONG.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

plan skip_all => 'built without JIT' unless -e "$build/lib/osvm/64/jit-x64.so";
my ($rounds, $methods) = $ENV{OSVM_TEST_LONG} ? (100, 60) : (2, 40);
for my $set (qw(sista v3)) {
    my $said = `t/fuzz/jit --bytecodes=$set --rounds=$rounds --methods=$methods`;
    is($? >> 8, 0, "$set: nothing differs") or diag($said);
    my ($cases) = $said =~ /, (\d+) cases in /;
    ok(($cases // 0) >= $rounds * $methods * 30, "$set: " . ($cases // 0) . ' cases') or diag($said);
}
done_testing();
