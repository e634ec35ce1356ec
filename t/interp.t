#!/usr/bin/env perl
# Programs run by the interpreter, in both heap widths, production and checked: what they
# print and how they end.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

# name, program, output, exit status
my @programs = (
    ['recursion through many stack pages and back',
     '| r | r := nil. r := [:n | n = 0 ifTrue: [0] ifFalse: [1 + (r value: n - 1)]]. '
         . 'Console printLine: (r value: 100000) printString. Console quit: 0',
     "100000\n", 0],
    ['return from a block through the frames of others',
     '| a | a := OrderedCollection new. a add: 3; add: 5; add: 7. a do: [:e | e = 5 ifTrue: '
         . '[Console printLine: e printString. Console quit: 4]]. Console quit: 0', "5\n", 4],
    ['a semaphore keeps a signal', 'Semaphore new signal; wait. Console quit: 6', '', 6],
    ['a wait that nothing can end is reported with the stack', 'Semaphore new wait',
     qr{^Error: No process can run.*UndefinedObject>>DoIt}s, 1],
    ['exact comparison with floats',
     'Console printLine: (1 = 1.0) printString, (9007199254740993 = 9007199254740992.0) printString. '
         . 'Console quit: 0', "truefalse\n", 0],
    ['thisContext knows its sender after the frame became a context',
     'Console printLine: (thisContext == thisContext) printString. Console quit: 0', "true\n", 0],
);

for my $bits (64, 32) {
    for my $program (@programs) {
        my ($name, $text, $wanted, $status) = @$program;
        my $image = "$dir/t$bits.image";
        my $built = system($osvm, 'build', "--bits=$bits", "--start=[$text] value", '-o', $image, 'image');
        is($built, 0, "$bits: built: $name") or next;
        for my $options ('', '--check') {
            my $output = `$osvm $options $image 2>&1`;
            like($output, ref $wanted ? $wanted : qr/^\Q$wanted\E$/, "$bits$options: $name");
            is($? >> 8, $status, "$bits$options: exit status: $name");
        }
    }
}
done_testing();
