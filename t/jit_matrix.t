#!/usr/bin/env perl
# The image's own tests in machine code under stress: every method compiled at its first call, with a code
# zone so small that methods are thrown out all the time, collections all the time, frames that change tier
# at every poll point, and all of these together, over collectors and variants, natively and on the
# simulated processor; in logical time, so that what fails fails again. By default a part of it; all with
# OSVM_TEST_LONG, which takes hours; those rows whose names match with OSVM_ROWS=REGEX:
#     OSVM_ROWS='together.*checked, sim' prove -v t/jit_matrix.t
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

$| = 1;
my $rows = $ENV{OSVM_ROWS} // ($ENV{OSVM_TEST_LONG} ? '' : undef); # undefined: the short ones
plan skip_all => 'built without JIT' unless has_plugin(jit => 'x64');
my $simulator = has_plugin(cpu => 'sim');

$ENV{OSVM_TEST_TIME_FACTOR} = 20; # the stress is no fault of a test's
my $all = '--jit=x64,threshold=1,loop-threshold=1';
my %stress = (
    hot      => [$all],
    zone     => [$all, '--code-zone=48K'],
    collect  => [$all, '--torture=scavenge:200,collect:10000,move,poison'],
    deopt    => [$all, '--torture=deopt'],
    together => [$all, '--code-zone=48K', '--torture=deopt:3,scavenge:200,collect:5000,move,poison,seed:3,code-full:50,tiny-spaces'],
);
# Of each configuration what is said about it; `tests` limits what is run.
my @matrix;
for my $stress (sort keys %stress) {
    for my $gc ('compact', 'sweep') {
        for my $variant ('production', 'checked') {
            for my $cpu ('native', $simulator ? 'sim' : ()) {
                push @matrix, {stress => $stress, gc => $gc, variant => $variant, cpu => $cpu, tests => ''};
            }
        }
    }
}
# Each stress natively; together also checked, and on the simulated processor with what switches processes
# and frames most.
my @short = (
    (map { {stress => $_, gc => 'compact', variant => 'production', cpu => 'native', tests => ''} } qw(hot zone collect)),
    {stress => 'deopt',    gc => 'sweep',   variant => 'production', cpu => 'native', tests => 'Process'},
    {stress => 'together', gc => 'compact', variant => 'checked',    cpu => 'native', tests => 'Process'},
    {stress => 'together', gc => 'sweep',   variant => 'production', cpu => 'native', tests => 'Exception'},
    ($simulator ? map { {stress => 'together', gc => 'compact', variant => 'checked', cpu => 'sim', tests => $_} }
        'Process', 'Exception' : ()),
);

for my $c (defined $rows ? @matrix : @short) {
    my $name = "$c->{stress}, $c->{gc}, $c->{variant}, $c->{cpu}";
    next if defined $rows && $name !~ /$rows/;
    my @options = (@{$stress{$c->{stress}}}, "--gc=$c->{gc}", "--cpu=$c->{cpu}", '--deterministic', '--log=info');
    push @options, '--check' if $c->{variant} eq 'checked';
    my $start = (times)[2];
    my @lines = split /\n/, `ulimit -t 3600; timeout 6h $osvm @options test --tap $c->{tests} 2>&1`;
    is($?, 0, "$name: ends normally");
    note(sprintf '%s: %d s', $name, (times)[2] - $start);
    my ($plan) = map { /^1\.\.(\d+)$/ ? $1 : () } @lines;
    my $ran = grep { /^ok \d+/ } @lines;
    ok($plan && $ran == $plan, "$name: $ran tests pass")
        or diag(join "\n", grep { !/^ok / } @lines);
    my ($said) = grep { /jit: \d+ compiled/ } @lines;
    my ($evicted) = ($said // '') =~ /(\d+) evicted/;
    my ($left, $back) = ($said // '') =~ /(\d+) frames turned into the interpreter's, (\d+) back/;
    my ($machine, $points) = ($said // '') =~ /(\d+) of (\d+) activations/;
    ok($evicted, "$name: methods were thrown out") if $c->{stress} =~ /zone|together/;
    ok($left && $back, "$name: frames changed tier both ways") if $c->{stress} =~ /deopt|together/;
    ok($points && $machine / $points > 0.95, "$name: nearly all of it ran in machine code") if $c->{stress} eq 'hot';
}
done_testing();
