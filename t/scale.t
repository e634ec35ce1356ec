#!/usr/bin/env perl
# Large programs, both widths: deep recursion, long lists, many processes, in the built-in image much text through a
# pipe and large files; memory is given back after it. The full sizes (a million frames and processes, ten million nodes
# and lines, 200 MB) run with OSVM_TEST_LONG set.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

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

# Scripts of the built-in image. Each says what it did, and how many megabytes more it has than at its beginning.
my %scripts = (
    lines => [10_000_000, 'count := 0. Stdio stdin linesDo: [ :each | count := count + 1 ]. answer := count.'],
    recursion => [1_000_000, 'block := nil. block := [ :k | k = 0 ifTrue: [ 0 ] ifFalse: [ 1 + (block value: k - 1) ] ]. answer := block value: n. block := nil.'],
    delays => [20_000, 'answer := 0. done := Semaphore new. n timesRepeat: [ [ 10 milliSeconds wait. answer := answer + 1. done signal ] fork ]. n timesRepeat: [ done wait ].'],
    file => [200_000_000, "file := '$dir/large' asFileReference. file binaryWriteStreamDo: [ :out | | part | part := ByteArray new: 100000 withAll: 7. n // 100000 timesRepeat: [ out nextPutAll: part ] ].
        answer := 0. file binaryReadStreamDo: [ :in | [ in atEnd ] whileFalse: [ answer := answer + (in next: 100000) size ] ]. file delete."],
);
my $memory = q{memory := [ 5 timesRepeat: [ Smalltalk garbageCollect ]. ('/proc/self/statm' asFileReference contents substrings at: 2) asInteger * 4096 // 1000000 ].};
for my $bits (64, 32) {
    for my $name (sort keys %scripts) {
        my ($n, $text) = ($scripts{$name}[0] / $part, $scripts{$name}[1]);
        write_file('script.st', "n := $n. $memory before := memory value. $text
            Stdio stdout print: answer; space; print: memory value - before; lf\n");
        my $input = $name eq 'lines' ? "seq $n |" : '';
        my ($answer, $more) = split / /, `$input timeout 1800 $osvm --bits=$bits $dir/script.st 2>&1`;
        is($answer, $n, "w$bits: $name $n");
        cmp_ok($more // 1000, '<', 40, "w$bits: $name: memory is given back (" . ($more // '?') =~ s/\n//r . ' MB more)');
    }
}
done_testing();
