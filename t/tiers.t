#!/usr/bin/env perl
# Every tier answers the same: operations compiled as bytecodes, inlined primitives and sends, over
# tables of operands, in both bytecode sets, by the interpreter, in machine code, and under stress (all
# compiled at first call, a code zone so small that methods are thrown out all the time, a small eden,
# checked variants), natively and on the simulated processor. Prints how many cases were compared.
use strict;
use warnings;
use File::Path qw(make_path);
use Test::More;
use lib 't/support';
use OsvmTest;

my @binary = qw(+ - < > <= >= = ~= * / \\\\ @ // == ~~ bitAnd: bitOr: at:);
my @constants = ('0', '1', '-1', '3', '-7', '1152921504606846975', '-1152921504606846976', '1.5', '$a',
    'nil', 'true', '#size');

# A method for each operation: its selector and source. Receiver and arguments are the operands.
my @methods;
sub method {
    my ($arguments, $body, $kind) = @_;
    my $name = 'op' . (scalar(@methods) + 1);
    my $head = $name . ($arguments == 1 ? ': a' : $arguments == 2 ? ": a with: b" : ": a with: b with: c");
    push @methods, [$kind // (qw(each pairs stores))[$arguments - 1], $name, "Tiers >> $head [\n\t$body\n]"];
}
for my $op (@binary) {
    my $kind = $op =~ /^(==|~~|=|~=|at:)$/ ? 'pairs' : $op =~ m{[/\\]} ? 'quotients' : 'numbers';
    method(2, "^ a $op b", $kind);
    method(2, "^ (a $op b) == true ifTrue: [ 1 ] ifFalse: [ 2 ]", $kind);
    next if $op eq 'at:';
    next if $kind eq 'quotients';
    method(1, "^ a $op $_") for @constants;
    method(1, "^ $_ $op a") for @constants;
}
for my $op (qw(< > <= >= = ~= == ~~)) {
    method(2, "^ a $op b ifTrue: [ 1 ] ifFalse: [ 2 ]", 'numbers');
    method(2, "^ (a $op b) not ifTrue: [ a ] ifFalse: [ b ]", 'numbers');
    method(1, "^ a $op 3 ifTrue: [ a ] ifFalse: [ 2 ]");
    method(1, "| n | n := 0. [ n < 5 and: [ a $op n ] ] whileTrue: [ n := n + 1 ]. ^ n");
}
method(1, "^ (a isInteger ifTrue: [ a ] ifFalse: [ 5 ]) $_") for map { ("// $_", "\\\\ $_", "/ $_") } 1, -1, 2, 3, -7, 64, '1152921504606846975';
method(1, "^ a bitShift: $_") for 0, 1, -1, 2, -2, 29, 30, 31, 59, 60, 61, 62, 63, 64, -60, -61, -63, -64, -65, 'nil';
method(1, "^ $_ bitShift: (a isInteger ifTrue: [ a bitAnd: 127 ] ifFalse: [ a ])") for 1, -1, 5, 1152921504606846975;
method(2, "^ { a. a + b. b }", 'numbers');
method(1, "^ a $_") for qw(class size isNil notNil hash x y);
method(1, "^ [ a ] value");
method(1, "^ [ :each | each ] value: a");
method(2, "^ [ :each | each + b ] value: a", 'numbers');
method(2, "| sum | sum := a. [ sum := sum + b ] value. ^ sum", 'numbers');
method(2, "#(1 2 3) do: [ :each | each = 2 ifTrue: [ ^ a ] ]. ^ b");
method(2, "| vector | vector := 0. [ :x | vector := vector + x ] value: 3. ^ { vector. a. b }");
method(2, "one := a. two := b. ^ { one. two. one == two }");
method(2, "^ thisContext sender == nil ifTrue: [ a ] ifFalse: [ b ]");
method(2, "| array | array := Array new: 3. array at: 1 put: a; at: 3 put: b. ^ array");
method(2, "^ (a == b or: [ a == nil ]) and: [ b == nil ]");
method(1, "^ (Array new: 4) at: 2 put: a; yourself");
# More classes than a polymorphic cache has cases for; sends from another site of the same selector.
my $many = "{a. 1. 2.5. nil. true. false. #x. 'y'. Object. 1 -> 2. 3 @ 4. Set new. 100 factorial. [ a ]}";
method(1, "^ $many collect: [ :each | each isNil ]");
method(1, "^ ($many collect: [ :each | each isString ]), ($many collect: [ :each | each isString not ])");
method(1, "^ $many inject: 0 into: [ :sum :each | sum + each class name size ]");
method(1, "| n | n := 0. $many do: [ :each | (each isNil or: [ each == true or: [ each isString ] ]) ifTrue: [ n := n + 1 ] ]. ^ n");
method(2, "^ (a == nil or: [ a == b or: [ b == true ] ]) ifTrue: [ a ] ifFalse: [ b ]");
method(2, "| n | n := 0. [ n < 5 and: [ a == b or: [ n < 3 ] ] ] whileTrue: [ n := n + 1 ]. ^ n");
method(1, "^ [ ^ a ] on: Error do: [ :error | error return: 3 ]");
method(2, "^ [ Error signal: 'x'. a ] on: Error do: [ :error | error return: b ]");
method(2, "^ [ (Notification signal: 'x') -> a ] on: Notification do: [ :note | note resume: b ]");
method(2, "| n | n := 0. [ [ Error signal ] ensure: [ n := a ] ] on: Error do: [ :error | error return: b ]. ^ n");
# Returns out of blocks: from many frames on and with contexts, through handlers and unwinding, too late.
method(2, "^ [ :x | [ :y | x == y ifTrue: [ ^ x ]. #none ] value: b ] value: a");
method(2, "{ a. b } do: [ :x | { x. 3 } do: [ :y | [ y == 3 ifTrue: [ ^ { x. y } ] ] value ] ]. ^ #none");
method(1, "self later: [ :c | c ifTrue: [ ^ a ]. #ran ]. ^ #fell");
method(1, "^ { self late. a. [ self late value: true ] on: Error do: [ :error | error return: error class name ] }");
method(2, "[ ^ a ] ensure: [ one := b ]. ^ #fell");
method(2, "[ [ ^ a ] ensure: [ ^ b ] ] value. ^ #fell");
method(2, "one := nil. [ self run: [ ^ { a. one } ] ] ifCurtailed: [ one := b ]. ^ #fell");
method(2, "[ self run: [ thisContext sender. ^ a ] ] on: Error do: [ :error | ^ b ]. ^ #fell");
method(2, "[ Error signal ] on: Error do: [ :error | [ ^ a ] value ]. ^ b");
method(2, "| block | block := [ :n | n = 0 ifTrue: [ ^ a ] ifFalse: [ block value: n - 1 ] ]. block value: 9. ^ b");
method(2, "| home | home := thisContext. [ home receiver. thisContext home == home ifTrue: [ ^ { a. home tempAt: 1 } ] ] value. ^ b");
method(1, "^ { [ thisContext receiver == self ] value. thisContext method selector. (thisContext tempAt: 1) == a }");
method(1, "^ thisContext sender receiver == self ifTrue: [ thisContext method selector ] ifFalse: [ a ]");
method(1, "^ self perform: #echo: with: a");
method(2, "^ self perform: #echo:and: with: a with: b");
method(3, "^ a copy at: b put: c");
method(3, "| copy | copy := a copy. copy at: b put: c. ^ copy");

my $package = "$dir/Tiers";
my $class = <<'CLASS';
Class { #name : #Tiers, #superclass : #Answers, #instVars : [ 'one', 'two' ], #category : #'Tiers' }

{ #category : #running }
Tiers class >> printAll [
	self new printAll
]

{ #category : #running }
Tiers >> answer: aBlock [
	"What the block answers, or the class of the error in it."
	^ aBlock on: Error do: [ :error | error return: error class name ]
]

{ #category : #running }
Tiers >> echo: thing [
	^ thing
]

{ #category : #running }
Tiers >> echo: thing and: other [
	^ { thing. other }
]

{ #category : #running }
Tiers >> late [
	"A block whose method has returned."
	^ [ :really | really ifTrue: [ ^ 1 ]. 2 ]
]

{ #category : #running }
Tiers >> later: aBlock [
	"From a frame of another method, which has a context."
	thisContext sender == nil ifTrue: [ ^ nil ].
	[ aBlock value: true ] value
]

{ #category : #running }
Tiers >> run: aBlock [
	^ aBlock value
]

{ #category : #operands }
Tiers >> operands [
	"Things of every format."
	^ self scalars , { #[31 62 93]. 'hello'. (Array new: 3) at: 2 put: $b; yourself. 3 @ 4. Object }
]

{ #category : #operands }
Tiers >> scalars [
	"Whose arithmetic is not that of collections, which the image does by itself."
	^ { 0. 1. -1. 7. -7. 64. 1152921504606846975. -1152921504606846976. 1152921504606846976.
		-9223372036854775808. 340282366920938463463374607431768211456. 0.0. 0.0 negated. 1.0. -2.5. 1.0e300.
		self infinity negated. self nan. $a. nil. true }
]

{ #category : #running }
Tiers >> answerTo: selector with: first [
	<primitive: 83>
]

{ #category : #running }
Tiers >> answerTo: selector with: first with: second [
	<primitive: 83>
]

{ #category : #running }
Tiers >> answerTo: selector with: first with: second with: third [
	<primitive: 83>
]

{ #category : #running }
Tiers >> run: selector with: first [
	self print: (self answer: [ self answerTo: selector with: first ]).
	stream nextPutAll: ' '
]

{ #category : #running }
Tiers >> run: selector with: first with: second [
	self print: (self answer: [ self answerTo: selector with: first with: second ]).
	stream nextPutAll: ' '
]

CLASS
$class .= "{ #category : #operations }\n$_->[2]\n\n" for @methods;
my @runs = map {
    my ($kind, $name) = @$_;
    "self $kind: #$name:" . ($kind eq 'each' ? '' : $kind eq 'stores' ? 'with:with:' : 'with:')
} @methods;
my $parts = 0;
while (my @some = splice @runs, 0, 40) {
    $parts++;
    $class .= "{ #category : #running }\nTiers >> part$parts [\n\t" . join(".\n\t", @some) . "\n]\n\n";
}
$class .= "{ #category : #running }\nTiers >> printAll [\n\t"
    . join(".\n\t", (map { "self part$_" } 1 .. $parts), 'self ranges; comparisons') . "\n]\n\n";
$class .= <<'CLASS';
{ #category : #running }
Tiers >> each: selector [
	stream := WriteStream new.
	stream nextPutAll: selector; nextPutAll: ' '.
	self scalars do: [ :each | self run: selector with: each ].
	self printLine
]

{ #category : #running }
Tiers >> pairs: selector [
	self pairs: selector of: self operands
]

{ #category : #running }
Tiers >> numbers: selector [
	self pairs: selector of: self scalars
]

{ #category : #running }
Tiers >> quotients: selector [
	"Without the floats whose digits a message about division by zero would take long to print."
	self pairs: selector of: (self scalars select: [ :each | each isInteger ]) , { 0.0. 1.0. -2.5. nil }
]

{ #category : #running }
Tiers >> pairs: selector of: operands [
	operands do: [ :first |
		stream := WriteStream new.
		stream nextPutAll: selector; nextPutAll: ' '.
		self print: first.
		stream nextPutAll: ': '.
		operands do: [ :second | self run: selector with: first with: second ].
		self printLine ]
]

{ #category : #operands }
Tiers >> sequences [
	"Of every format that ranges are copied between, short and long ones, in old space and new."
	^ { 'hello'. #hello. ''. String new: 90 withAll: $x. #[31 62 93]. (1 to: 90) asArray. {$a. 3 @ 4. nil}. #().
		(String with: (Character value: 960) with: $b). (WordArray with: 5 with: 7). 3 @ 4. nil. 7 }
]

{ #category : #running }
Tiers >> range: range of: target from: source [
	| copy |
	copy := target copy.
	self print: (self answer: [
		copy replaceFrom: (range at: 1) to: (range at: 2)
			with: (source == target ifTrue: [ copy ] ifFalse: [ source ]) startingAt: (range at: 3) ]).
	stream nextPutAll: ' '
]

{ #category : #running }
Tiers >> ranges [
	| all |
	all := { #(1 0 1). #(1 3 1). #(2 3 1). #(1 2 2). #(3 3 3). #(1 64 1). #(2 90 1). #(1 89 2). #(10 73 5). #(0 2 1). #(2 0 1).
		#(1 2 0). #(3 90 2). #(1 91 1). {2. 3. nil}. {nil. 3. 1}. {1. 1152921504606846975. 1}. {1. 2. -1152921504606846976} }.
	self sequences do: [ :target |
		self sequences do: [ :source |
			stream := WriteStream new.
			all do: [ :range | self range: range of: target from: source ].
			all do: [ :range | self range: range of: target from: target ].
			self printLine ] ]
]

{ #category : #running }
Tiers >> comparisons [
	| all |
	all := self sequences , { 'hellp'. 'hell'. 'hello, world'. 'hello, World'. 'hello, worlds'. #[]. #[200 1]. #[31 200].
		(String new: 90 withAll: $x) , 'y'. (String new: 90 withAll: $x) , 'z'. String new: 300 withAll: $x }.
	all do: [ :each |
		stream := WriteStream new.
		all do: [ :other |
			each isString ifTrue: [
				self print: (self answer: [ each compareWith: other ]).
				stream nextPutAll: ' ' ] ].
		self printLine ]
]

{ #category : #running }
Tiers >> stores: selector [
	self things do: [ :thing |
		thing class == Object class ifFalse: [
			stream := WriteStream new.
			stream nextPutAll: selector; nextPutAll: ' '.
			self indices do: [ :index |
				self values do: [ :value |
					self print: (self answer: [ self answerTo: selector with: thing with: index with: value ]).
					stream nextPutAll: ' ' ] ].
			self printLine ] ]
]
CLASS
write_file("$package/Tiers.class.st", $class);
write_file("$package/package.st", "Package { #name : #'Tiers' }\n");

sub run {
    my ($image, $options) = @_;
    my $output = `$osvm $options $image 2>&1`;
    return ($? >> 8, split /\n/, $output);
}

my $hot = '--jit=x64,threshold=1,loop-threshold=1';
my @tiers = ("$hot", "$hot --torture=deopt:3", "$hot --torture=deopt:5 --check --code-zone=32K --eden=64K");
my @processors = ('', has_plugin(cpu => 'sim') ? ' --cpu=sim' : ());
push @tiers, "$hot$processors[1]" if $processors[1];
if ($ENV{OSVM_TEST_LONG}) {
    for my $processor (@processors) {
        for my $stress ('--code-zone=32K', '--torture=deopt', '--torture=scavenge:50,collect:3000,move,poison',
            '--gc=sweep --code-zone=32K --torture=deopt:3,scavenge:100,collect:5000,move,poison --check') {
            push @tiers, "$hot $stress$processor";
        }
    }
}
my $cases = 0;
for my $set (qw(sista v3)) {
    my $image = "$dir/$set.image";
    my $built = system($osvm, 'build', "--bytecodes=$set", '--start=Tiers printAll. Console quit: 0', '-o', $image,
        'image', 't/answers/Answers', $package);
    is($built, 0, "$set: image is built") or next;
    my ($status, @expected) = run($image, '--jit=none');
    is($status, 0, "$set: the interpreter ends normally");
    $cases += split / / for @expected;
    for my $tier (@tiers) {
        my ($status, @answers) = run($image, $tier);
        is($status, 0, "$set $tier: ends normally");
        my @differ = grep { ($answers[$_] // '') ne ($expected[$_] // '') } 0 .. ($#expected > $#answers ? $#expected : $#answers);
        is(scalar @differ, 0, "$set $tier: every case answers the same");
        diag("interpreter: " . ($expected[$_] // 'nothing') . "\n    machine code: " . ($answers[$_] // 'nothing'))
            for @differ[0 .. ($#differ < 2 ? $#differ : 2)];
    }
}
diag("$cases cases in each of " . @tiers . " tiers");
done_testing();
