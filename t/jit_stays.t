#!/usr/bin/env perl
# What stays in machine code once it is hot: each program, run ten times as often, enters machine code
# hardly more often. (What it answers in all tiers, and under stress, other tests compare.)
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

plan skip_all => 'built without JIT' unless has_plugin(jit => 'x64');

# Statements in a loop over i.
my %programs = (
    'blocks run by ensure:'       => 'n := [ n + 1 ] ensure: [ n := n + 1 ]',
    'blocks run by ifCurtailed:'  => 'n := [ n + 1 ] ifCurtailed: [ n := 0 ]',
    'returns out of blocks'       => 'n := n + (#(1 2 3) detect: [ :each | each = 2 ] ifNone: [ 0 ])',
    'blocks and their contexts'   => 'n := n + ([ :a :b | thisContext method. a + b ] value: 1 value: i)',
    'perform:'                    => 'n := n + (3 perform: #+ with: 1). n := n + (#(1 2) perform: #size)',
    'perform:withArguments:'      => "n := n + (3 perform: #between:and: withArguments: {1. 5}) asString size",
    'copies and comparisons'      => 'n := n + ((i printString , \'x\') < \'500x\') asString size',
);
sub entered {
    my ($statement, $times, $set) = @_;
    write_file('stays.st', "Object subclass: #Stays instanceVariableNames: '' classVariableNames: '' package: 'Stays'.\n",
        "(Smalltalk at: #Stays) compile: 'run: times | n | n := 0. 1 to: times do: [ :i | ",
        $statement =~ s/'/''/gr, " ]. ^ n'.\n", "(Smalltalk at: #Stays) new run: $times.\n");
    my $log = `$osvm --log=info --jit=x64,threshold=1,loop-threshold=1 --deterministic $dir/stays.st 2>&1`;
    diag($log) if $?;
    return $log =~ /entered (\d+) times/ ? $1 : -1;
}
for my $name (sort keys %programs) {
    my ($few, $many) = map { entered($programs{$name}, $_) } 200, 2000;
    cmp_ok($few, '>', 0, "$name: runs");
    cmp_ok($many - $few, '<', 100, "$name: machine code is entered $few times, and $many");
}
done_testing;
