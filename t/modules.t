#!/usr/bin/env perl
# Modules of named primitives that real images call when they start: FileAttributesPlugin, UUIDPlugin;
# and the primitives for text, 103 against answers of OpenSmalltalk's stack interpreter.
# What OpenSmalltalk's answer is the same but for what an entry of an open directory holds.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

mkdir "$dir/d";
mkdir "$dir/d/empty";
symlink 'file', "$dir/d/link";

my @expected = split /\n/, <<'TEXT';
exists true
missing false
not a path 'failed'
file 2 33256
file 5 1
file 8 5
file 13 true
file 14 true
file 15 true
file 16 false
no 1 nil
no 12 nil
no 0 'failed'
no 17 'failed'
link true
size of directory 0
stat 13
mode 33256
same true
access [true,true,true]
both [true,true,true]
target [102,105,108,101]
mask 0 'failed'
masks 32768
empty nil
no directory 'failed'
entries 3
rewound 3
closed true
closed again 'failed'
forged 'failed'
changed nil
to 416
path [97,47,98]
version 4
variant 2
equal false
short 'failed'
TEXT

for my $bits (64, 32) {
    is(system($osvm, 'build', "--bits=$bits", "--start=FileAttributes runIn: '$dir/d'", '-o', "$dir/t.image", 'image',
        't/answers/Answers', 't/modules/Modules'), 0, "w$bits: built");
    for my $variant ('', '--check') {
        my $name = "w$bits/" . ($variant ? 'checked' : 'production');
        write_file('d/file', 'hello');
        chmod 0750, "$dir/d/file";
        my @lines = split /\n/, `$osvm $variant $dir/t.image 2>&1`;
        is($? >> 8, 0, "$name: ends normally");
        is($lines[$_], $expected[$_], "$name: $expected[$_]") for 0 .. $#expected;
    }
    my @lines = split /\n/, `$osvm --world=denied $dir/t.image 2>&1`;
    is($lines[0], 'exists false', "w$bits: a denied world shows no files");
}

open my $recorded, '<', 't/answers/scanner.txt' or die "t/answers/scanner.txt: $!\n";
chomp(my @scans = <$recorded>);
push @scans, 'true', 'false', 'false', 'failed';
for my $bits (64, 32) {
    is(system($osvm, 'build', "--bits=$bits", '--start=TextScanner run', '-o', "$dir/t.image", 'image', 't/answers/Answers',
        't/modules/Modules'), 0, "w$bits: built");
    my @lines = split /\n/, `$osvm $dir/t.image 2>&1`;
    is($lines[$_], $scans[$_], "w$bits: $scans[$_]") for 0 .. $#scans;
}

# The machine's types in bytes, primitives 600 to 629, little-endian: worked out by hand.
open my $types, '<', 't/modules/bytes.txt' or die "t/modules/bytes.txt: $!\n";
chomp(my @values = <$types>);
for my $bits (64, 32) {
    is(system($osvm, 'build', "--bits=$bits", '--start=BytesValues run', '-o', "$dir/t.image", 'image', 't/answers/Answers',
        't/modules/Modules'), 0, "w$bits: built");
    for my $variant ('', '--check') {
        my @lines = split /\n/, `$osvm $variant $dir/t.image 2>&1`;
        my $name  = "w$bits/" . ($variant ? 'checked' : 'production');
        is($lines[$_], $values[$_], "$name: primitive " . ($values[$_] =~ s/:.*//r)) for 0 .. $#values;
    }
}

# DSAPrims: SHA-1 of texts as the standard and others have it, and products and quotients of large integers.
my @signatures = (': DA39A3EE 5E6B4B0D 3255BFEF 95601890 AFD80709', 'abc: A9993E36 4706816A BA3E2571 7850C26C 9CD0D89D',
    'The quick brown fox jumps over the lazy dog: 2FD4E1C6 7A2D28FC ED849EE1 BB76E739 1B93EB12', 'wrong 0',
    'highest 3 1 #failed', '#failed', '#failed');
for my $bits (64, 32) {
    is(system($osvm, 'build', "--bits=$bits", '--start=Signatures run', '-o', "$dir/t.image", 'image', 't/answers/Answers',
        't/modules/Modules'), 0, "w$bits: built");
    for my $variant ('', '--check') {
        my @lines = split /\n/, `$osvm $variant $dir/t.image 2>&1`;
        is($lines[$_], $signatures[$_], "w$bits$variant: $signatures[$_]") for 0 .. $#signatures;
    }
}

# The page on primitives names every number that is not there, and every module that is.
my $text = read_file('docs/primitives.md');
my %documented;
while ($text =~ /^\| ([0-9][0-9, to]*) \|/mg) {
    for my $part (split /, */, $1) {
        my ($first, $last) = $part =~ /^(\d+)(?: to (\d+))?/ or next;
        $documented{$_} = 1 for $first .. $last // $first;
    }
}
open my $table, '<', 'kernel/vm/primitives/primitives.def' or die "primitives.def: $!\n";
my %present = (map { $_ => 1 } 123, 198, 199, 256 .. 519);
while (<$table>) { $present{$1} = 1 if /^PRIM\((\d+)/ }
is(join(' ', grep { !$present{$_} && !$documented{$_} } 1 .. 659), '', 'absent numbers are in docs/primitives.md');
is(join(' ', grep { $present{$_} && $documented{$_} } 1 .. 659), '', '... and none that is present');
for my $source (glob 'plugins/prims/*/*.c') {
    open my $file, '<', $source or die "$source: $!\n";
    while (<$file>) { like($text, qr/\b$1\b/, "$1 is in docs/primitives.md") if /\.module = "(\w+)"/ }
}
done_testing();
