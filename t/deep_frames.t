#!/usr/bin/env perl
# Methods that need more than the 16 slots their header asks for, as real images have them: they
# run, also through contexts and saved images, and `osvm check` warns of them.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $temps  = join ' ', map { "t$_" } 1 .. 20;
my $fill   = join ' ', map { "t$_ := n + $_." } 1 .. 20;
my $sum    = join ' + ', map { "t$_" } 1 .. 20;
write_file('Deep/package.st', "Package { #name : #Deep }\n");
write_file('Deep/Deep.class.st', <<"TEXT");
Class { #name : #Deep, #superclass : #Object, #category : #Deep }

{ #category : #all }
Deep >> deep: n [
	| $temps |
	$fill
	n > 0 ifTrue: [ t1 := self deep: n - 1. thisContext sender isNil ifTrue: [ ^ 0 ] ].
	^ ($sum) \\\\ 1000003
]

{ #category : #all }
Deep >> save [ <primitive: 97> ^ nil ]

{ #category : #all }
Deep >> quit: status [ <primitive: 113> ^ nil ]

{ #category : #all }
Deep >> run [
	| block |
	block := [ :n | self deep: n ].
	Console printLine: (block value: 3000) printString.
	self save ifFalse: [ Console printLine: (block value: 7) printString. self quit: 0 ].
	self quit: (block value: 7) \\\\ 256
]
TEXT

# The method headers without the flag for a large frame: bit 17, above the SmallInteger's tag. A
# method header is the first word behind an object header that says compiled code (formats 24..31).
sub clear_flags {
    my ($file, $bits) = @_;
    open my $image, '+<:raw', $file or die "$file: $!\n";
    local $/;
    my $bytes = <$image>;
    my ($word, $tag, $width) = $bits == 64 ? ('Q<', 3, 8) : ('L<', 1, 4);
    my $cleared = 0;
    for (my $at = 64; $at + $width <= length $bytes; $at += $width) {
        my $value = unpack $word, substr $bytes, $at, $width;
        my $number = $value >> $tag;
        next if (unpack('Q<', substr $bytes, $at - 8, 8) >> 24 & 31) < 24;
        next if ($value & ((1 << $tag) - 1)) != 1 || !($number >> 17 & 1) || ($number >> 18 & 63) < 20
            || ($number & ~(1 << $bits - $tag - 1)) >= 1 << 30 || ($number & 0x7FFF) > 60;
        substr $bytes, $at, $width, pack $word, $value & ~(1 << 17 + $tag);
        $cleared++;
    }
    seek $image, 0, 0;
    print $image $bytes;
    close $image;
    return $cleared;
}

sub output_of {
    my $output = `timeout 1800 @_ 2>&1`;
    return ($? >> 8, $output);
}

for my $bits (64, 32) {
    my $image = "$dir/$bits.image";
    my @build = ($osvm, 'build', "--bits=$bits", '--start=Deep new run', '-o', $image, 'image', "$dir/Deep");
    is(system(@build), 0, "w$bits: built");
    my (undef, $wanted) = output_of($osvm, '--max-heap=200M', $image);
    for my $variant ('', '--check') {
        my $name = "w$bits/" . ($variant ? 'checked' : 'production');
        is(system(@build), 0, "$name: built");
        cmp_ok(clear_flags($image, $bits), '>=', 1, "$name: headers ask for small frames");
        my ($code, $output) = output_of($osvm, 'check', $image);
        is($code, 0, "$name: check accepts them");
        like($output, qr/warning: the frame needs \d+ slots, but its header asks for 16/, "$name: with a warning");
        ($code, $output) = output_of($osvm, '--max-heap=200M', $variant, $image);
        is($output, $wanted, "$name: the same answers");
        is($code, 0, "$name: and an end");
        ($code, $output) = output_of($osvm, '--max-heap=200M', $variant, $image);
        is($code, 2205 % 256, "$name: the saved image goes on behind the snapshot");
    }
}
done_testing();
