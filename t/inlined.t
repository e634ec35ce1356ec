#!/usr/bin/env perl
# The primitives that Sista's optimiser writes in line, those that jump too: each is assembled into a
# method, run over operands, and answers what plain Smalltalk answers; in the interpreter of both widths, in
# machine code, under stress, and on the simulated processor. Jumps must not leave machine code.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my @names = qw(a b c d e);

# number, what it must answer of a, b, ..., operands; "64" in front: of 64-bit images only
my @values = (
    [1000, 'a class', '3', '$x', 'nil', '1.5', '#(1 2)', '100 factorial'],
    [1001, 'a size', '#(1 2 3)', '#()', 'Array new: 300'],
    [1002, 'a size', "'four'", '#[1 2 3]', "''"],
    [1003, 'a size', 'DoubleByteArray new: 3'],
    [1005, 'a size', 'WordArray new: 5'],
    [1006, 'a size', 'DoubleWordArray new: 2'],
    [1011, 'a new', 'Object'],
    [1012, 'a new', 'Object'],
    [1020, 'a identityHash', "'text'", 'Object'],
    [1021, 'a identityHash', '17', '-5'],
    [1022, 'a asInteger', '$a'],
    [1024, 'a identityHash', 'Array'],
    [1030, 'a asInteger', '$a', 'Character value: 16r1F600'],
    [1032, 'a asFloat', '7', '-1', 'SmallInteger maxVal'],
    [1039, 'a', "'text'"],
    [1040, 'a', '7', "'text'"],
    [1041, 'a', "'text'"],
    [2000, 'a + b', '3, 4', '-5, 5'],
    [2001, 'a - b', '3, 4', 'SmallInteger maxVal, 1'],
    [2002, 'a * b', '300, -40', '0, 7'],
    [2003, 'a quo: b', '12, 4', '-12, 4'],
    [2004, 'a quo: b', '13, 4', '-13, 4'],
    [2005, 'a rem: b', '13, 4', '-13, 4'],
    [2006, 'a quo: b', '13, -4'],
    [2016, 'a bitAnd: b', '12, 10', '-1, 255'],
    [2017, 'a bitOr: b', '12, 10'],
    [2018, 'a bitXor: b', '12, 10'],
    [2019, 'a bitShift: b', '3, 5', '-3, 5'],
    [2020, 'a bitShift: b negated', '300, 2', '-1, 7'],
    [2032, 'a > b', '3, 4', '4, 3', '4, 4'],
    [2033, 'a < b', '3, 4', '4, 3', '4, 4'],
    [2034, 'a >= b', '3, 4', '4, 3', '4, 4'],
    [2035, 'a <= b', '3, 4', '4, 3', '4, 4'],
    [2036, 'a = b', '3, 4', '4, 4'],
    [2037, 'a ~= b', '3, 4', '4, 4'],
    [2038, 'a == b', "#x, #x", "'x', 'x' copy", 'nil, nil'],
    [2039, 'a ~~ b', "#x, #x", "'x', 'x' copy", 'nil, nil'],
    [2048, 'a new: b', 'Array, 3', 'ByteArray, 9', 'Array, 0'],
    [2049, 'a new: b', 'Array, 0'],
    [2064, 'a at: b', '#(5 6 7), 1', '#(5 6 7), 3'],
    [2065, 'a at: b', '#(5 6 7), 2'],
    [2066, 'a at: b', '#[5 255], 2'],
    [2067, 'a at: b', '((DoubleByteArray new: 2) at: 2 put: 65535; yourself), 2'],
    [2068, 'a at: b', '((WordArray new: 2) at: 2 put: 16rFFFFFFFF; yourself), 2'],
    [2069, 'a at: b', '((DoubleWordArray new: 2) at: 1 put: 16rFFFFFFFFFFFFFFFF; yourself), 1'],
    (map { [$_, 'a at: b put: c', "(Array new: 3), 2, #x", "(Array new: 3), 3, 'fresh' copy"] } 3000 .. 3003),
    [3004, 'a at: b put: c', '(ByteArray new: 3), 3, 255'],
    [3005, 'a at: b put: c', '(DoubleByteArray new: 3), 1, 65535'],
    [3006, 'a at: b put: c', '(WordArray new: 3), 2, 16rFFFFFFFF'],
    [3007, 'a at: b put: c', '(DoubleWordArray new: 3), 2, 16rFFFFFFFFFFFFFFFF'],
    [3021, '(a first: c) = (b first: c)', "'abcd', 'abxy', 2", "'abcd', 'abxy', 3", "'', '', 0"],
    [5000, 'a replaceFrom: b to: c with: d startingAt: e', '(Array new: 5), 2, 4, #(1 2 3 4), 2'],
);
my @jumps = (
    [7016, 'a isReadOnly not', '(Array new: 1)', '(Array new: 1) beReadOnly; yourself', '3'],
    [7017, 'a isReadOnly', '(Array new: 1)', '(Array new: 1) beReadOnly; yourself', '3'],
    [7018, 'false', 'Object', '3'],
    [7019, 'true', 'Object', '3'],
    [8000, 'a class == b', '3, SmallInteger', '3, Float', '#x, ByteSymbol', 'nil, UndefinedObject', '3, Integer'],
    [8001, 'a class ~~ b', '3, SmallInteger', '3, Float', '#x, ByteSymbol', 'nil, UndefinedObject'],
    [8002, 'b includes: a class', '3, {Float. SmallInteger}', '3, {Float. Array}', '$x, {}'],
    [8003, '(b includes: a class) not', '3, {Float. SmallInteger}', '3, {Float. Array}', '$x, {}'],
);

# ---- The methods, and the program that runs them ----

sub selector { my ($number, $count) = @_; return "p$number:" . 'with:' x ($count - 1) }

sub assembled {
    my ($number, $count, $code) = @_;
    return 'method Inlined>>' . selector($number, $count) . "\n  set sista\n  args $count\n  code\n"
        . join('', map { "    pushTemp $_\n" } 0 .. $count - 1) . $code . "end\n";
}

my ($methods, @tests) = '';
for my $row (@values, @jumps) {
    my ($number, $expected, @operands) = @$row;
    my $count = split /, /, $operands[0];
    $methods .= assembled($number, $count, $number < 6000 ? "    inlinePrimitive $number\n    returnTop\n"
        : "    pushInt 1\n    inlinePrimitive $number\n    returnFalse\n    returnTrue\n");
    my $used = join ' ', @names[0 .. $count - 1];
    my $call = join ' ', map { ($_ ? 'with:' : "p$number:") . " $names[$_]" } 0 .. $count - 1;
    my $block = join(' ', map { ":$_" } @names[0 .. $count - 1]);
    for my $operands (@operands) {
        my $list = '{' . join('. ', split /, /, $operands) . '}';
        push @tests, "self name: '$number @{[$operands =~ s/'/''/gr]}' operands: [ $list ] inline: [ $block | self $call ] plain: [ $block | $expected ].";
    }
}
# Down from a to 0 and counting, by a jump back that does not poll; the way out is a jump forward.
$methods .= <<'ASM';
method Inlined>>p6000:
  set sista
  args 1
  temps 2
  code
    pushInt 0
    popIntoTemp 1
  again:
    pushTemp 0
    pushInt 0
    sendSpecial #>
    jumpFalse done
    pushTemp 0
    pushInt 1
    sendSpecial #-
    popIntoTemp 0
    pushTemp 1
    pushInt 1
    sendSpecial #+
    popIntoTemp 1
    pushInt/E1.E8 -20
    inlinePrimitive 6000
  done:
    pushTemp 1
    returnTop
end
ASM
push @tests, map { "self name: '6000 $_' operands: [ {$_} ] inline: [ :a | self p6000: a ] plain: [ :a | a ]." } 0, 1, 1000;

mkdir "$dir/Inlined";
write_file('inlined.asm', $methods);
write_file('Inlined/package.st', "Package { #name : #Inlined }\n");
my $steps = join '', map { "{ #category : #running }\nInlined >> test$_ [\n\t$tests[$_]\n]\n\n" } 0 .. $#tests;
write_file('Inlined/Inlined.class.st', <<"CLASS" . $steps);
Class { #name : #Inlined, #superclass : #Object, #category : #Inlined }

{ #category : #running }
Inlined class >> printAll [ 3 timesRepeat: [ 0 to: $#tests do: [ :i | self new perform: ('test', i printString) asSymbol ] ] ]

{ #category : #running }
Inlined >> name: name operands: operands inline: inlined plain: plain [
	Console printLine: name, ' | ', (self text: (inlined valueWithArguments: operands value)),
		' | ', (self text: (plain valueWithArguments: operands value))
]

{ #category : #running }
Inlined >> text: value [
	^ value class name , ' ' , ((value isNumber or: [ value isString or: [ value isCollection or: [ value isBehavior or: [ value == nil or: [ value == true or: [ value == false ] ] ] ] ] ]) ifTrue: [ value printString ] ifFalse: [ '' ])
]

CLASS

my $hot = '--jit=x64,threshold=1,loop-threshold=1';
my ($has_jit, $has_sim) = (has_plugin(jit => 'x64'), has_plugin(cpu => 'sim'));
for my $bits (64, 32) {
    my ($raw, $image) = ("$dir/raw$bits.image", "$dir/$bits.image");
    is(system($osvm, 'build', "--bits=$bits", '--start=Inlined printAll. Console quit: 0', '-o', $raw, 'image',
        "$dir/Inlined"), 0, "w$bits: the image is built") or next;
    is(system($osvm, 'asm', "$dir/inlined.asm", "--image=$raw", '-o', $image), 0, "w$bits: the methods are installed") or next;
    my @tiers = ('--jit=none', '--jit=none --check');
    push @tiers, $hot, "$hot --check", "$hot --torture=deopt", "$hot --check --torture=deopt:2,scavenge:5,move"
        if $bits == 64 && $has_jit;
    push @tiers, "$hot --cpu=sim" if $bits == 64 && $has_jit && $has_sim;
    for my $tier (@tiers) {
        my @lines = split /\n/, `$osvm $tier $image 2>&1`;
        is($? >> 8, 0, "w$bits $tier: ends normally") or diag(@lines ? $lines[-1] : 'nothing');
        is(scalar @lines, 3 * @tests, "w$bits $tier: all cases ran");
        my @wrong = grep { my ($name, $is, $should) = split / \| /; !defined $should || $is ne $should } @lines;
        is(scalar @wrong, 0, "w$bits $tier: each answers as plain Smalltalk");
        diag($_) for grep { defined } @wrong[0 .. 4];
    }
    next if $bits != 64 || !$has_jit;
    for my $method ('p6000:', 'p7016:', 'p8000:with:') {
        my $listing = `$osvm disasm 'Inlined>>$method' --bytecodes --image=$image 2>&1`;
        like($listing, qr/^Inlined>>\Q$method\E$/m, "$method is compiled");
        unlike($listing, qr/^ +-- \d+ +inlinePrimitive/m, '... and the jump makes one with its displacement');
    }
}
done_testing;
