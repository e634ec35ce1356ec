#!/usr/bin/env perl
# The tests of the built-in image, in Smalltalk, in every configuration of widths, collectors and variants, and
# under torture. OSVM_TEST_LONG tortures both widths, and more often.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

$ENV{OSVM_TEST_TIME_FACTOR} = 20; # the stress is no fault of a test's

# Runs all tests with these options.
sub check {
    my ($name, $options) = @_;
    my @lines = split /\n/, `timeout 1800 $osvm $options test --tap 2>&1`;
    is($?, 0, "$name: exit status");
    my ($plan) = map { /^1\.\.(\d+)$/ ? $1 : () } @lines;
    my $ran = grep { /^(?:not )?ok \d+/ } @lines;
    ok(($plan // 0) > 100, "$name: there are tests");
    is($ran, $plan, "$name: all of them ran");
    my @wrong = grep { /^not ok/ .. /^ok/ } @lines;
    is(scalar @wrong, 0, "$name: all pass") or diag(join "\n", @wrong[0 .. ($#wrong > 30 ? 30 : $#wrong)]);
}

for my $bits (64, 32) {
    for my $gc ('compact', 'sweep') {
        for my $variant ('', '--check') {
            check("w$bits/$gc" . ($variant ? '/checked' : ''), "--bits=$bits --gc=$gc $variant");
        }
    }
}

my @tortures = $ENV{OSVM_TEST_LONG}
    ? map { my $bits = $_; map { [$bits, $_] } 'scavenge:20', 'move,collect:500', 'collect:1000' } 64, 32
    : ([64, 'scavenge:200'], [32, 'move,collect:5000']);
check("w$_->[0]/torture=$_->[1]", "--bits=$_->[0] --torture=$_->[1]") for @tortures;
done_testing();
