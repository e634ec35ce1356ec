#!/usr/bin/env perl
# The tests of the built-in image, in Smalltalk, in every configuration of widths, collectors and variants.
use strict;
use warnings;
use Test::More;

my $osvm = $ENV{OSVM} || 'build/osvm';

for my $bits (64, 32) {
    for my $gc ('compact', 'sweep') {
        for my $variant ('', '--check', $bits == 64 ? '--jit=none' : ()) {
            my $name = join ' ', "w$bits/$gc", $variant || ();
            my @lines = split /\n/, `timeout 300 $osvm --bits=$bits --gc=$gc $variant test --tap 2>&1`;
            is($? >> 8, 0, "$name: exit status");
            my ($plan) = map { /^1\.\.(\d+)$/ ? $1 : () } @lines;
            my $ran = grep { /^(?:not )?ok \d+/ } @lines;
            ok(($plan // 0) > 100, "$name: there are tests");
            is($ran, $plan, "$name: all of them ran");
            my @wrong = grep { /^not ok/ .. /^ok/ } @lines;
            is(scalar @wrong, 0, "$name: all pass") or diag(join "\n", @wrong[0 .. ($#wrong > 30 ? 30 : $#wrong)]);
        }
    }
}
done_testing();
