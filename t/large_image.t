#!/usr/bin/env perl
# Images of several gigabytes, both widths: a program fills them with an object of two gigabytes, one of many
# references and millions of small ones, saves them, goes on from the file, collects and saves again; each file is
# checked. The full sizes run with OSVM_TEST_LONG set, where there is memory for them; a hundredth of them otherwise.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $part  = $ENV{OSVM_TEST_LONG} ? 1 : 100;
my %sizes = ( # bytes of one object, slots of another, small objects
    64 => [2**31 + 8, 2**27, 40_000_000],
    32 => [2**30 - 1, 2**28, 12_000_000],
);

# The small objects refer to others that are near and far, below and above. `sound` looks at all of them.
write_file('fill.st', <<'END');
| bytes slots count large pointers small other sound say resumed |
bytes := CommandLine arguments first asInteger.
slots := (CommandLine arguments at: 2) asInteger.
count := (CommandLine arguments at: 3) asInteger.
say := [ :text | Stdio stdout nextPutAll: text , ' ' , sound value printString; lf; flush ].
other := [ :i | small at: (i even ifTrue: [ i // 2 ] ifFalse: [ i * 48271 \\ i + 1 ]) ].
sound := [
	| ends links |
	ends := large size = bytes and: [ large first = 1 and: [ (large at: bytes) = 7 and: [
		pointers size = slots and: [ pointers first == large and: [ pointers last == small ] ] ] ] ].
	links := (1 to: count) allSatisfy: [ :i | | each |
		each := small at: i.
		(each at: 1) = i and: [ (each at: 2) == (other value: i) ] ].
	ends & links & ((2 to: slots - 1 by: 4096) allSatisfy: [ :i | (pointers at: i) isNil ]) ].
large := ByteArray new: bytes.
large at: 1 put: 1; at: bytes put: 7.
pointers := Array new: slots.
small := Array new: count.
pointers at: 1 put: large; at: slots put: small.
1 to: count do: [ :i | small at: i put: (Array with: i with: nil) ].
1 to: count do: [ :i | (small at: i) at: 2 put: (other value: i) ].
say value: 'made'.
resumed := Smalltalk snapshotAs: (CommandLine arguments at: 4).
say value: (resumed ifTrue: [ 'resumed' ] ifFalse: [ 'saved' ]).
Smalltalk garbageCollect.
say value: 'collected'.
resumed ifTrue: [
	small := small copy.
	pointers at: slots put: small.
	resumed := Smalltalk snapshotAs: (CommandLine arguments at: 5).
	say value: (resumed ifTrue: [ 'resumed' ] ifFalse: [ 'saved' ]) ].
END

sub megabytes_available {
    open my $info, '<', '/proc/meminfo' or return 0;
    my ($kib) = map { /^MemAvailable:\s+(\d+)/ ? $1 : () } <$info>;
    return ($kib // 0) / 1024;
}

sub runs {
    my ($what, $expected, @command) = @_;
    my @lines = split /\n/, `timeout 3000 @command 2>&1`;
    is($?, 0, "$what: exit status");
    is("@lines", join(' ', map { "$_ true" } split / /, $expected), $what);
}

for my $bits (64, 32) {
    my ($bytes, $slots, $count) = map { int($_ / $part) } @{$sizes{$bits}};
    my $size = $bytes + ($slots + $count) * $bits / 8 + $count * (8 + $bits / 4);
    SKIP: {
        skip "w$bits: " . int($size / 1e6) . ' MB of objects need more memory than there is'
            if 1.5 * $size / 1e6 + 300 > megabytes_available();
        runs("w$bits: filled and saved", 'made saved collected',
            "$osvm --bits=$bits $dir/fill.st $bytes $slots $count $dir/first.image $dir/second.image");
        cmp_ok(-s "$dir/first.image", '>', $size, "w$bits: the file has " . (-s "$dir/first.image") . ' bytes');
        like(`$osvm check $dir/first.image 2>&1`, qr/: sound: \d+ objects/, "w$bits: check finds it sound");
        runs("w$bits: goes on from the file and saves again", 'resumed collected saved', "$osvm $dir/first.image");
        like(`$osvm check $dir/second.image 2>&1`, qr/: sound: \d+ objects/, "w$bits: so it finds the second file");
        runs("w$bits: which goes on too", 'resumed', "$osvm $dir/second.image");
        # Their slots are half as large there.
        if ($bits == 64) {
            my $converted = system("$osvm convert --bits=32 $dir/second.image -o $dir/other.image");
            is($converted, 0, "w$bits: it is converted to 32 bits");
            like(`$osvm check $dir/other.image 2>&1`, qr/: sound: \d+ objects/, "w$bits: and sound there");
        }
        unlink map { "$dir/$_.image" } qw(first second other);
    }
}
done_testing();
