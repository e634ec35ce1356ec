#!/usr/bin/env perl
# Every bytecode of both sets, in each of its encodings, assembled byte by byte into methods of a
# class and run there: the answers must be those that OpenSmalltalk's stack interpreter (VMMaker.oscog
# 3185, March 2023) gave on the same images; they are recorded in t/answers/bytecodes-64.txt and
# bytecodes-32.txt, a line for each method. BYTECODES_KEEP=DIR keeps the images, to record them anew.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

$dir = $ENV{BYTECODES_KEEP} if $ENV{BYTECODES_KEEP};

my (@methods, @unary, @binary, @ternary);

# A method of raw bytes; its selector is made of its name and the number of its arguments.
sub method {
    my ($set, $name, $args, $temps, $literals, @bytes) = @_;
    my $selector = $name . ('', ':', ':with:')[$args];
    my $text = "method Bytecodes>>$selector\n  set $set\n  args $args\n  temps $temps\n";
    $text .= "  large\n" if $temps > 8 || @bytes > 30;
    $text .= "  literals\n" . join('', map { "    $_\n" } @$literals, '#u0', 'methodClass');
    push @methods, $text . "  code\n    .byte " . join(' ', @bytes) . "\nend\n";
    push @{ $args == 2 ? \@binary : $args == 1 ? \@ternary : \@unary }, $selector;
    return;
}

my @numbers   = map { 1000 + $_ } 0 .. 31;
my @variables = map { 'var:V' . $_ % 4 } 0 .. 31;
my @unaries   = map { "#u$_" } 0 .. 15;
my @keywords  = map { "#k$_:" } 0 .. 15;
my @doubles   = map { "#t$_:with:" } 0 .. 15;

# ---- V3 ----

sub v3 { my ($name, @rest) = @_; return method('v3', "v$name", @rest) }

my @fill = map { (32 + $_, 130, 64 | $_) } 0 .. 15;    # temporaries 0..15 := literals 0..15
v3("$_", 0, 0, [], $_, 124) for 0 .. 15, 112 .. 119;
v3("$_", 0, 16, \@numbers, @fill, $_, 124) for 16 .. 31;
v3("$_", 0, 0, \@numbers,   $_, 124) for 32 .. 63;
v3("$_", 0, 0, \@variables, $_, 124) for 64 .. 95;
v3("$_", 0, 0, [], 119, $_, 120) for 96 .. 103;
v3("$_", 0, 8, [], 119, $_, 16 + $_ - 104, 124) for 104 .. 111;
v3("$_", 0, 0, [], $_) for 120 .. 123;
for my $index (0, 1, 7, 15, 19) {
    v3("128r$index", 0, 0,  [],          128, $index, 124);
    v3("128t$index", 0, 16, \@numbers,   @fill, 128, 64 + $index, 124) if $index < 16;
    v3("128l$index", 0, 0,  \@numbers,   128, 128 + $index, 124);
    v3("128v$index", 0, 0,  \@variables, 128, 192 + $index, 124);
    v3("129r$index", 0, 0,  [],          119, 129, $index, 124);
    v3("129t$index", 0, 16, [],          119, 129, 64 + $index, 117, 135, 176 - 160 + $index, 176, 124)
        if $index < 16;
    v3("129v$index", 0, 0,  \@variables, 119, 129, 192 + $index, 124);
    v3("130r$index", 0, 0,  [],          119, 130, $index, 120);
    v3("130t$index", 0, 16, [],          119, 130, 64 + $index, 16 + $index, 124) if $index < 16;
    v3("130v$index", 0, 0,  \@variables, 119, 130, 192 + $index, 120);
    v3("132r$index", 0, 0,  [],          132, 64, $index, 124);
    v3("132l$index", 0, 0,  \@numbers,   132, 96, $index, 124);
    v3("132v$index", 0, 0,  \@variables, 132, 128, $index, 124);
    v3("132s$index", 0, 0,  [],          119, 132, 160, $index, 124);
    v3("132p$index", 0, 0,  [],          119, 132, 192, $index, 120);
    v3("132w$index", 0, 0,  \@variables, 119, 132, 224, $index, 124);
}
v3('131a', 0, 0, \@unaries,  112, 131, 5, 124);
v3('131b', 0, 0, \@keywords, 112, 119, 131, 32 + 31 % 16, 124);
v3('131c', 0, 0, \@doubles,  112, 119, 118, 131, 64 + 3, 124);
v3('132a', 0, 0, \@unaries,  112, 132, 0, 9, 124);
v3('132b', 0, 0, \@doubles,  112, 119, 118, 132, 2, 11, 124);
v3('132c', 0, 0, \@doubles,  112, 119, 118, 132, 34, 11, 124);
v3('133a', 0, 0, \@unaries,  112, 133, 6, 124);
v3('133b', 0, 0, \@doubles,  112, 119, 118, 133, 64 + 7, 124);
v3('134a', 0, 0, \@unaries,  112, 134, 8, 124);
v3('134b', 0, 0, \@doubles,  112, 119, 118, 134, 128 + 9, 124);
v3('135', 0, 0, [], 119, 118, 135, 124);
v3('136', 0, 0, [], 119, 136, 176, 124);
v3('137', 0, 0, [], 137, 137, 198, 124);
v3('138a', 0, 0, [], 138, 0, 124);
v3('138b', 0, 0, [], 138, 5, 124);
v3('138c', 0, 0, [], 116, 117, 118, 119, 138, 128 + 3, 124);
v3('140', 0, 2, [], 116, 119, 118, 138, 128 + 2, 104, 140, $_, 0, 124) for 0;
v3('140b', 0, 2, [], 119, 118, 138, 128 + 2, 104, 140, 1, 0, 124);
v3('141', 0, 2, [], 138, 3, 104, 119, 141, 2, 0, 135, 16, 124);
v3('142', 0, 2, [], 138, 3, 104, 119, 142, 1, 0, 16, 124);
v3('143a', 0, 0, [], 143, 0, 0, 2, 119, 125, 201, 124);
v3('143b', 0, 0, [], 143, 1, 0, 3, 16, 112, 125, 118, 202, 124);
v3('143c', 0, 0, [], 119, 118, 143, 32, 0, 4, 16, 17, 177, 125, 201, 124);
v3('143d', 0, 0, [], 119, 143, 17, 0, 4, 16, 17, 177, 125, 118, 202, 124);
v3('143e', 0, 0, [], 143, 0, 0, 2, 119, 124, 201, 135, 118, 124);    # returns from the method
v3('143f', 0, 0, [], 143, 0, 0, 1, 121, 201, 135, 118, 124);
v3("$_", 0, 0, [], $_, (118) x ($_ - 143), 119, 124) for 144 .. 151;
v3("${_}t", 0, 0, [], 113, $_, (118, 135) x 4, 119, 124) for grep { $_ % 2 } 152 .. 159;
v3("${_}f", 0, 0, [], 114, $_, (118, 135) x 4, 119, 124) for grep { $_ % 2 } 152 .. 159;
v3('152n', 0, 0, [], 112, 153, 118, 124, 119, 124);    # mustBeBoolean
v3('160', 0, 1, [], 117, 104, 16, 118, 176, 104, 16, 119, 178, 172, 2, 163, 256 - 11, 16, 124);
v3('164', 0, 0, [], 164, 2, 118, 124, 119, 124);
v3('168t', 0, 0, [], 113, 168, 2, 118, 124, 119, 124);
v3('168f', 0, 0, [], 114, 168, 2, 118, 124, 119, 124);
v3('168n', 0, 0, [], 112, 168, 2, 118, 124, 119, 124);
v3('172t', 0, 0, [], 113, 172, 2, 118, 124, 119, 124);
v3('172f', 0, 0, [], 114, 172, 2, 118, 124, 119, 124);
v3("$_", 0, 0, \@unaries,  112, $_, 124) for 208 .. 223;
v3("$_", 0, 0, \@keywords, 112, 119, $_, 124) for 224 .. 239;
v3("$_", 0, 0, \@doubles,  112, 119, 118, $_, 124) for 240 .. 255;
for my $special (0 .. 31) {
    v3('s' . $special, 2, 2, [], 16, 17, 176 + $special, 124) if $special < 17 || $special =~ /^(20|22|24|26|27|29)$/;
    v3('s' . $special, 1, 1, [], 16, 176 + $special, 124) if $special =~ /^(18|19|21|23|25|28|30|31)$/;
    v3("j$special", 2, 2, [], 16, 17, 176 + $special, 153, 113, 124, 114, 124) if $special > 1 && $special < 8;
    v3("J$special", 2, 2, [], 16, 17, 176 + $special, 172, 2, 113, 124, 114, 124)
        if ($special > 1 && $special < 8) || $special == 22 || $special == 24;
    v3("K$special", 2, 2, [], 16, 17, 176 + $special, 168, 2, 113, 124, 114, 124) if $special > 1 && $special < 8;
}
v3('put', 2, 2, [], 16, 17, 119, 193, 135, 16, 124);

# ---- Sista ----

sub sista { my ($name, @rest) = @_; return method('sista', "w$name", @rest) }

my @store = map { (32 + $_, 242, $_) } 0 .. 11;
sista("$_", 0, 0, [], $_, 92) for 0 .. 15, 76 .. 81;
sista("$_", 0, 0, \@variables, $_, 92) for 16 .. 31;
sista("$_", 0, 0, \@numbers,   $_, 92) for 32 .. 63;
sista("$_", 0, 12, \@numbers, @store, $_, 92) for 64 .. 75;
sista('82', 0, 0, [], 82, 82, 118, 92);
sista('82b', 0, 0, [], 225, 1, 82, 225, 1, 82, 118, 92);
sista('83', 0, 0, [], 81, 83, 96, 92);
sista("$_", 0, 0, [], $_) for 88 .. 91;
sista('95', 0, 0, [], 95, 224, 5, 225, 6, 95, 81, 92);
sista("$_", 0, 0, \@unaries,  76, $_, 92) for 128 .. 143;
sista("$_", 0, 0, \@keywords, 76, 81, $_, 92) for 144 .. 159;
sista("$_", 0, 0, \@doubles,  76, 81, 80, $_, 92) for 160 .. 175;
sista("$_", 0, 0, [], $_, (80) x ($_ - 175), 81, 92) for 176 .. 183;
sista("${_}t", 0, 0, [], 77, $_, (80, 216) x 4, 81, 92) for grep { $_ % 2 } 184 .. 199;
sista("${_}f", 0, 0, [], 78, $_, (80, 216) x 4, 81, 92) for grep { $_ % 2 } 184 .. 199;
sista('184n', 0, 0, [], 76, 185, 80, 92, 81, 92);
sista('192n', 0, 0, [], 76, 193, 80, 92, 81, 92);
sista("$_", 0, 0, [], 81, $_, 88) for 200 .. 207;
sista("$_", 0, 8, [], 81, $_, 64 + $_ - 208, 92) for 208 .. 215;
sista('216', 0, 0, [], 81, 80, 216, 92);
for my $index (0, 1, 15, 19) {
    sista("226x$index", 0, 0, [],          226, $index, 92);
    sista("227x$index", 0, 0, \@variables, 227, $index, 92);
    sista("228x$index", 0, 0, \@numbers,   228, $index, 92);
    sista("240x$index", 0, 0, [],          81, 240, $index, 88);
    sista("241x$index", 0, 0, \@variables, 81, 241, $index, 88);
    sista("243x$index", 0, 0, [],          81, 243, $index, 92);
    sista("244x$index", 0, 0, \@variables, 81, 244, $index, 92);
}
for my $index (0, 5, 11) {
    sista("229x$index", 0, 12, \@numbers, @store, 229, $index, 92);
    sista("242x$index", 0, 12, [], 81, 242, $index, 64 + $index, 92);
    sista("245x$index", 0, 12, [], 81, 245, $index, 64 + $index, 96, 92);
}
my @many = map { $_ + 2000 } 0 .. 299;
sista('228a', 0, 0, \@many, 224, 1, 228, 3, 92);
sista('227a', 0, 0, [ (5) x 256, 'var:V0', 'var:V1' ], 224, 1, 227, 1, 92);
sista('241a', 0, 0, [ (5) x 256, 'var:V0', 'var:V1' ], 81, 224, 1, 241, 1, 88);
sista('244a', 0, 0, [ (5) x 256, 'var:V0', 'var:V1' ], 81, 224, 1, 244, 0, 92);
sista('231a', 0, 0, [], 231, 0, 92);
sista('231b', 0, 0, [], 231, 5, 92);
sista('231c', 0, 0, [], 80, 81, 76, 231, 128 + 3, 92);
sista('232a', 0, 0, [], 232, 200, 92);
sista('232b', 0, 0, [], 225, 255, 232, 200, 92);
sista('232c', 0, 0, [], 225, 127, 232, 0, 92);
sista('232d', 0, 0, [], 225, 128, 225, 1, 232, 2, 92);
sista('233a', 0, 0, [], 233, 97, 92);
sista('233b', 0, 0, [], 224, 3, 233, 177, 92);
sista('234a', 0, 0, \@unaries, 76, 234, 5 * 8, 92);
sista('234b', 0, 0, \@doubles, 76, 81, 80, 234, 7 * 8 + 2, 92);
sista('234c', 0, 0, [ (5) x 40, '#u3' ], 76, 224, 1, 234, 8 * 8, 92);
sista('235a', 0, 0, \@unaries, 76, 235, 5 * 8, 92);
sista('235b', 0, 0, \@doubles, 76, 81, 80, 235, 7 * 8 + 2, 92);
sista('235c', 0, 0, [ '#u1', 'var:Bytecodes' ], 76, 17, 225, 64, 235, 0, 92);
sista('237a', 0, 0, [], 237, 2, 80, 92, 81, 92);
sista('237b', 0, 1, [], 80, 208, 64, 81, 96, 208, 64, 232, 3, 98, 239, 4, 225, 255, 237, 256 - 14, 64, 92);
sista('238t', 0, 0, [], 77, 238, 2, 80, 92, 81, 92);
sista('238f', 0, 0, [], 78, 238, 2, 80, 92, 81, 92);
sista('238n', 0, 0, [], 76, 238, 2, 80, 92, 81, 92);
sista('239t', 0, 0, [], 77, 239, 2, 80, 92, 81, 92);
sista('239f', 0, 0, [], 78, 239, 2, 80, 92, 81, 92);
sista('239w', 0, 0, [], 78, 225, 0, 239, 2, 80, 92, 81, 92);
sista('250a', 0, 0, [], 250, 0, 2, 81, 94, 121, 92);
sista('250b', 0, 0, [], 250, 1, 2, 64, 94, 81, 122, 92);
sista('250c', 0, 0, [], 81, 80, 250, 16, 4, 64, 65, 97, 94, 121, 92);
sista('250d', 0, 0, [], 250, 0, 1, 93, 121, 92);
sista('250e', 0, 0, [], 250, 0, 2, 81, 92, 121, 216, 80, 92);
sista('251', 0, 2, [], 81, 80, 231, 128 + 2, 208, 251, 1, 0, 92);
sista('252', 0, 2, [], 231, 3, 208, 81, 252, 2, 0, 216, 64, 92);
sista('253', 0, 2, [], 231, 3, 208, 81, 253, 1, 0, 64, 92);
sub block {
    my ($args, $temps, @bytes) = @_;
    return "block\n  args $args\n  temps $temps\n  code\n    .byte @bytes\n  end";
}
sista('249a', 0, 0, [ block(0, 0, 81, 94) ], 249, 0, 0, 121, 92);
sista('249b', 0, 0, [ block(1, 1, 64, 94) ], 249, 0, 0, 81, 122, 92);
sista('249c', 0, 0, [ block(1, 3, 64, 65, 96, 66, 96, 94) ], 81, 232, 7, 249, 0, 2, 232, 40, 122, 92);
sista('249d', 0, 0, [ block(0, 0, 76, 94) ], 232, 9, 249, 0, 128, 121, 92);
sista('249e', 0, 0, [ block(0, 0, 81, 92) ], 249, 0, 0, 121, 216, 80, 92);
sista('249f', 0, 0, [ block(0, 0, 81, 94) ], 249, 0, 64, 121, 92);
sista('249g', 0, 0, [ block(0, 0, 93) ], 249, 0, 0, 121, 92);
for my $special (0 .. 31) {
    sista('s' . $special, 2, 2, [], 64, 65, 96 + $special, 92) if $special < 17 || $special =~ /^(20|22|24|26|27|29)$/;
    sista('s' . $special, 1, 1, [], 64, 96 + $special, 92) if $special =~ /^(18|19|21|23|25|28|30|31)$/;
    next unless ($special > 1 && $special < 8) || $special == 22 || $special == 24;
    sista("j$special", 2, 2, [], 64, 65, 96 + $special, 193, 77, 92, 78, 92);
    sista("J$special", 2, 2, [], 64, 65, 96 + $special, 239, 2, 77, 92, 78, 92);
    sista("K$special", 2, 2, [], 64, 65, 96 + $special, 185, 77, 92, 78, 92);
}
sista('put', 2, 2, [], 64, 65, 81, 113, 216, 64, 92);

# ---- The class they are installed in, and the program that runs them ----

my %operands = (
    (map { $_ => 'numbers' } 0, 1, 2, 3, 4, 5, 6, 7, 8, 22, 24),
    14 => 'bits', 15 => 'bits',
    9 => 'quotients', 10 => 'integers', 13 => 'integers',
    11 => 'numbers', 12 => 'shifts', 16 => 'indices', map { $_ => 'objects' } 20, 26, 27, 29,
);

sub table {
    my %kinds;
    for my $selector (@binary) {
        my ($number) = $selector =~ /^[vw][sjJK](\d+)/;
        push @{ $kinds{ defined $number ? $operands{$number} // 'things' : 'stores' } }, $selector;
    }
    return join "\n", map { "\t#(" . join(' ', @{ $kinds{$_} }) . ") do: [ :each | self run: each on: self $_ ]." }
        sort keys %kinds;
}

sub class_text {
    my $ivars   = join ', ', map { "'i$_'" } 0 .. 19;
    my $set     = join ' ',  map { "i$_ := " . (100 + $_) . '.' } 0 .. 19;
    my $special = join '', map { "{ #category : #special }\nBytecodes >> $_ [ ^ { #sent. #'" . s/ \w+//gr . "'. argument } ]\n\n" }
        map { "$_ argument" } qw(+ - * / \\\\ @ bitShift: // bitAnd: bitOr: at: nextPut: value: do: new:);
    $special .= join '', map { "{ #category : #special }\nBytecodes >> $_ argument [ ^ self ]\n\n" } qw(< > <= >= = ~=);
    $special .= join '', map { "{ #category : #special }\nBytecodes >> $_ [ ^ { #sent. #$_ } ]\n\n" }
        qw(size next atEnd value new x y);
    my $plain = '';
    for my $class ('BytecodesBase', 'Bytecodes') {
        for my $k (0 .. 15) {
            $plain .= "{ #category : #plain }\n$class >> u$k [ ^ #(#$class $k) ]\n\n"
                . "{ #category : #plain }\n$class >> k$k: a [ ^ { #$class. $k. a } ]\n\n"
                . "{ #category : #plain }\n$class >> t$k: a with: b [ ^ { #$class. $k. a. b } ]\n\n";
        }
    }
    $plain =~ s/\{ #category : #plain \}\nBytecodesBase.*?\n\n//gs unless $_[0];
    $plain =~ s/\{ #category : #plain \}\nBytecodes >>.*?\n\n//gs if $_[0];
    return "Class { #name : #BytecodesBase, #superclass : #Object, #category : #Bytecodes }\n\n$plain" if $_[0];
    return <<"TEXT" . $plain . $special;
Class { #name : #Bytecodes, #superclass : #BytecodesBase, #instVars : [ $ivars ],
	#classVars : [ 'V0', 'V1', 'V2', 'V3' ], #category : #Bytecodes }

{ #category : #running }
Bytecodes >> setUp [
	$set
	V0 := 200. V1 := 201. V2 := 202. V3 := 203
]

{ #category : #running }
Bytecodes >> variables [ ^ { V0. V1. V2. V3 } ]

{ #category : #running }
Bytecodes >> perform: selector arguments: arguments [ <primitive: 84> ^ #performFailed ]

{ #category : #running }
Bytecodes >> slot: index [ <primitive: 73> ^ nil ]

{ #category : #errors }
Bytecodes >> mustBeBoolean [ ^ #mustBeBoolean ]

{ #category : #errors }
Bytecodes >> doesNotUnderstand: message [ ^ #doesNotUnderstand ]

TEXT
}

sub runner_text {
    my $unary = join ' ', @unary;
    my $ones  = join ' ', @ternary;
    my $table = table();
    return <<"TEXT";
Class { #name : #BytecodeAnswers, #superclass : #Answers, #category : #Bytecodes }

{ #category : #running }
BytecodeAnswers class >> printAll [ self new printAll ]

{ #category : #running }
BytecodeAnswers >> printAll [
	#($unary) do: [ :each | self run: each ].
	#($ones) do: [ :each | self run: each onEach: self things ].
$table
]

{ #category : #operands }
BytecodeAnswers >> numbers [
	^ self pairs: { 0. 1. -1. 2. 7. -7. 1073741823. -1073741824. 1152921504606846975. 1.5. -0.25. 1.0e100. 1073741823.0 }
]

{ #category : #operands }
BytecodeAnswers >> pairs: list [
	| pairs |
	pairs := OrderedCollection new.
	list do: [ :a | list do: [ :b | pairs add: { a. b } ] ].
	pairs add: { Bytecodes new setUp. 1 }.
	^ pairs
]

{ #category : #operands }
BytecodeAnswers >> divisors [
	^ self numbers select: [ :pair |
		(pair at: 2) ~~ 0 and: [ (pair at: 1) class == (pair at: 2) class ] ]
]

{ #category : #operands }
BytecodeAnswers >> integers [
	^ self divisors select: [ :pair | (pair at: 1) isInteger ]
]

{ #category : #operands }
BytecodeAnswers >> quotients [
	^ self divisors select: [ :pair |
		(pair at: 1) class ~~ SmallInteger or: [ (pair at: 1) \\\\ (pair at: 2) = 0 ] ]
]

{ #category : #operands }
BytecodeAnswers >> shifts [
	| pairs |
	pairs := OrderedCollection new.
	#(0 1 7 1000) do: [ :a | #(0 1 2 19 20 21 -1 -5 -29 -30) do: [ :b | pairs add: { a. b } ] ].
	^ pairs
]

{ #category : #operands }
BytecodeAnswers >> bits [
	^ self pairs: #(0 1 -1 2 7 -7 255 1073741823 -1073741824)
]

{ #category : #operands }
BytecodeAnswers >> indices [
	| pairs |
	pairs := OrderedCollection new.
	{ #(11 12 13). 'abc'. #sym. #[1 2 3]. (Bitmap new: 2) at: 1 put: 4294967295; yourself } do: [ :object |
		#(1 2) do: [ :index | pairs add: { self copyOf: object. index } ] ].
	pairs add: { Bytecodes new setUp. 3 }.
	^ pairs
]

{ #category : #operands }
BytecodeAnswers >> objects [
	^ self things collect: [ :thing | { thing. 5 } ]
]

{ #category : #operands }
BytecodeAnswers >> stores [
	^ self indices select: [ :pair | #(Array ByteArray Bitmap) includes: (pair at: 1) class name ]
]

{ #category : #operands }
BytecodeAnswers >> things [
	^ { Bytecodes new setUp. Bytecodes new setUp }
]

{ #category : #printing }
BytecodeAnswers >> print: object [
	object class == Bytecodes ifTrue: [ ^ stream nextPutAll: 'self' ].
	super print: object
]

{ #category : #printing }
BytecodeAnswers >> printChanges: object [
	1 to: 20 do: [ :i |
		(object slot: i) == (99 + i) ifFalse: [
			stream nextPutAll: ' i', (i - 1) printString, ' '. self print: (object slot: i) ] ].
	1 to: 4 do: [ :i |
		(object variables at: i) == (199 + i) ifFalse: [
			stream nextPutAll: ' V', (i - 1) printString, ' '. self print: (object variables at: i) ] ]
]

{ #category : #running }
BytecodeAnswers >> answer: selector arguments: arguments [
	| object |
	object := Bytecodes new.
	object setUp.
	stream nextPutAll: ' '.
	self print: (object perform: selector arguments: arguments).
	self printChanges: object
]

{ #category : #running }
BytecodeAnswers >> run: selector [
	stream := WriteStream new.
	stream nextPutAll: selector; nextPutAll: ':'.
	self answer: selector arguments: #().
	self printLine
]

{ #category : #running }
BytecodeAnswers >> run: selector on: pairs [
	"A line for all that have the same first operand."
	| last |
	last := nil.
	pairs do: [ :pair |
		(pair at: 1) == last ifFalse: [
			last == nil ifFalse: [ self printLine ].
			stream := WriteStream new.
			stream nextPutAll: selector; nextPutAll: ' '.
			self print: (pair at: 1).
			stream nextPutAll: ':'.
			last := pair at: 1 ].
		self answer: selector arguments: { (pair at: 1) copy. pair at: 2 } ].
	self printLine
]

{ #category : #running }
BytecodeAnswers >> run: selector onEach: things [
	things do: [ :thing |
		stream := WriteStream new.
		stream nextPutAll: selector; nextPutAll: ' '.
		self print: thing.
		stream nextPutAll: ':'.
		self answer: selector arguments: { thing }.
		self printLine ]
]
TEXT
}

write_file('Bytecodes/package.st', "Package { #name : #Bytecodes }\n");
write_file('Bytecodes/BytecodesBase.class.st', class_text(1));
write_file('Bytecodes/Bytecodes.class.st', class_text(0));
write_file('Bytecodes/BytecodeAnswers.class.st', runner_text());
write_file('bytecodes.asm', join "\n", @methods);

for my $bits (64, 32) {
    my ($raw, $image) = ("$dir/raw$bits.image", "$dir/$bits.image");
    is(system($osvm, 'build', "--bits=$bits", '--start=BytecodeAnswers printAll. Console quit: 0', '-o', $raw, 'image',
        't/answers/Answers', "$dir/Bytecodes"), 0, "w$bits: the image is built") or next;
    is(system($osvm, 'asm', "$dir/bytecodes.asm", "--image=$raw", '-o', $image), 0, "w$bits: the methods are installed") or next;
    open my $recorded, '<', "t/answers/bytecodes-$bits.txt" or next;
    chomp(my @expected = <$recorded>);
    for my $variant ('', '--check') {
        my $name = "w$bits/" . ($variant ? 'checked' : 'production');
        my @answers = split /\n/, `$osvm $variant $image`;
        is($? >> 8, 0, "$name: ends normally");
        my %wrong;
        for my $i (0 .. $#expected) {
            my ($selector) = $expected[$i] =~ /^(\w+)/;
            $wrong{$selector} //= 0;
            next if ($answers[$i] // 'nothing') eq $expected[$i];
            diag("$name: line " . ($i + 1) . "\n  answers  " . ($answers[$i] // 'nothing') . "\n  expected $expected[$i]")
                if $wrong{$selector}++ < 2;
        }
        is($wrong{$_}, 0, "$name: $_") for sort keys %wrong;
        is(scalar @answers, scalar @expected, "$name: number of lines");
    }
}
done_testing();
