#!/usr/bin/env perl
# The collector laboratory: every kept sequence of events, and random ones, in both heap
# widths, with every collector, production and checked. OSVM_TEST_SEED: other random ones.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $seed  = $ENV{OSVM_TEST_SEED} || 20261127;
my $events = $ENV{OSVM_TEST_LONG} ? 1000000 : 20000;
my @scripts = sort glob 't/gc-events/*.gc';
my @large = sort glob 't/gc-events/large/*.gc';

sub run_lab {
    my ($name, $options, @arguments) = @_;
    my $output = `$osvm $options fuzz gc @arguments 2>&1`;
    is($? >> 8, 0, $name) or diag($output);
    return $output;
}

for my $bits (64, 32) {
    my %collectors = map { m,/gc-(\w+)\.so$, ? ($1 => 1) : () } glob "$build/lib/osvm/$bits/gc-*.so";
    delete $collectors{none}; # it reclaims nothing: the sequences expect that something is
    for my $gc (sort keys %collectors) {
        for my $variant ('production', 'checked') {
            my $options = "--gc=$gc:$variant --mm=spur:$variant";
            my $name = "w$bits/$gc/$variant";
            run_lab("$name: kept sequences", $options, "--bits=$bits", '--replay', @scripts);
            my $said = run_lab("$name: $events random events, seed $seed", $options,
                               "--bits=$bits", "--seed=$seed", "--events=$events");
            like($said, qr/[1-9]\d* ephemerons fired, [1-9]\d* weak slots nilled/,
                 "$name: something happened");
            # Poisoning 2 GiB takes long, and sanitizers have no room for it.
            run_lab("$name: large sequences", $options, "--bits=$bits", '--replay', @large)
                if $variant eq 'production' && !sanitizers();
        }
    }
}

# What the command says of wrong input.
sub refused {
    my ($text, $wanted, $name) = @_;
    my $file = write_file('wrong.gc', $text);
    my $output = `$osvm fuzz gc --replay $file 2>&1`;
    is($? >> 8, 65, "$name: status");
    like($output, $wanted, $name);
}
refused("new r1 fixed\nscavange\n", qr/wrong\.gc:2: there is no event 'scavange'; did you mean 'scavenge'/,
        'a misspelt event');
refused("new r32 fixed\n", qr/wrong\.gc:1: a register \(r0 to r31\) was expected, not 'r32'/, 'a register');
refused("new r1 box\n", qr/wrong\.gc:1: unknown word 'box'/, 'a shape');
refused("store r1 0\n", qr/wrong\.gc:1: operands are missing for 'store'/, 'too few operands');
refused("poll 3\n", qr/wrong\.gc:1: too much: '3'/, 'too many operands');
refused("poll\neden 64K\n", qr/wrong\.gc:2: settings come before events/, 'a late setting');
refused("# nothing\n", qr/has no events/, 'no events');
my $said = `$osvm fuzz gc --replay $dir/none.gc 2>&1`;
is($? >> 8, 66, 'no such file: status');
$said = `$osvm fuzz jit 2>&1`;
is($? >> 8, 64, 'something else to fuzz: status');

# A script that expects what does not happen fails, and is reduced to what matters.
write_file('false.gc', "new r1 fixed\nnew r2 array 3\nstore r2 1 r1\nexpect-nil r2 1\n");
$said = `$osvm fuzz gc --bits=64 --replay $dir/false.gc 2>&1`;
is($? >> 8, 1, 'an expectation that does not hold: status');
like($said, qr/caught by expectation at event 4 \(expect-nil r2 1\)/, 'and what it was');

done_testing();
