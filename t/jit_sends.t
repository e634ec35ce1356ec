#!/usr/bin/env perl
# Sends in machine code: that meet many classes, ordinary and super sends of one selector by turns, so
# that caches of the one must not serve the other; and what full collections leave of their links:
# all but those for classes that have gone. The interpreter knows the answers.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

plan skip_all => 'built without JIT' unless has_plugin(jit => 'x64');

my $many = write_file('many.st', <<'SCRIPT');
| classes objects names |
Object subclass: #Root instanceVariableNames: '' classVariableNames: '' package: 'Sends'.
(Smalltalk at: #Root) compile: 'name ^ ''root'''.
(Smalltalk at: #Root) compile: 'kind ^ ''kind of '' , self name'.
classes := (1 to: 10) collect: [ :i |
	((Smalltalk at: #Root) subclass: ('Leaf' , i printString) asSymbol instanceVariableNames: ''
			classVariableNames: '' package: 'Sends')
		compile: 'name ^ ''', i printString, '''';
		yourself ].
(Smalltalk at: #Root) subclass: #Middle instanceVariableNames: '' classVariableNames: '' package: 'Sends'.
(Smalltalk at: #Middle) compile: 'name ^ ''middle of '' , super name'.
classes := classes , ((1 to: 10) collect: [ :i |
	(Smalltalk at: #Middle) subclass: ('Low' , i printString) asSymbol instanceVariableNames: ''
		classVariableNames: '' package: 'Sends' ]).
objects := classes collect: [ :each | each new ].
names := nil.
5 timesRepeat: [
	objects do: [ :each | each name ].
	names := objects collect: [ :each | each kind ] ].
names do: [ :each | Transcript show: each; cr ].
SCRIPT
my $names = join '', map { "kind of $_\n" } 1 .. 10, ('middle of root') x 10;

# Copies of classes, which have class indices of their own; the next copy uses them again.
my $copies = write_file('copies.st', <<'SCRIPT');
| root plain leaf answers |
Object subclass: #Root instanceVariableNames: '' classVariableNames: '' package: 'Sends'.
root := Smalltalk at: #Root.
root class compile: 'twin <primitive: 148>'.
root compile: 'name ^ ''root'''; compile: 'call: thing ^ thing name';
	compile: 'try: aClass | twin | twin := aClass twin. ^ (self call: twin new) , (self call: twin new) -> twin identityHash'.
plain := root subclass: #Plain instanceVariableNames: '' classVariableNames: '' package: 'Sends'.
leaf := root subclass: #Leaf instanceVariableNames: '' classVariableNames: '' package: 'Sends'.
leaf compile: 'name ^ ''leaf'''.
answers := {plain. plain. leaf. leaf. plain. leaf} collect: [ :each | | answer |
	answer := root new try: each.
	10 timesRepeat: [ Smalltalk garbageCollect ].
	answer ].
answers do: [ :each | Transcript show: each key; cr ].
Transcript show: (answers collect: [ :each | each value ]) asSet size printString; cr.
SCRIPT
my $of_copies = join "\n", qw(rootroot rootroot leafleaf leafleaf rootroot leafleaf 1), '';

# Super sends, whose targets use no variables, or some, which receivers of twelve classes have, and
# others, on which the method is run without a send, lack.
sub super_sends {
    my ($times) = @_;
    return write_file("super$times.st", <<"SCRIPT");
| classes objects sum odd method |
Object subclass: #Base instanceVariableNames: 'one two' classVariableNames: '' package: 'Sends'.
(Smalltalk at: #Base) compile: 'two ^ two'; compile: 'count ^ 1'; compile: 'two: value two := value'.
(Smalltalk at: #Base) subclass: #Upper instanceVariableNames: 'three' classVariableNames: '' package: 'Sends'.
(Smalltalk at: #Upper) compile: 'two ^ super two + 1000'; compile: 'count ^ super count + 1'.
classes := (1 to: 12) collect: [ :i |
	(Smalltalk at: #Upper) subclass: ('Lower' , i printString) asSymbol instanceVariableNames: (i odd ifTrue: [ '' ] ifFalse: [ 'more' ])
		classVariableNames: '' package: 'Sends' ].
objects := classes collect: [ :each | each new two: 1; yourself ].
sum := 0.
$times timesRepeat: [ objects do: [ :each | sum := sum + each two + each count ] ].
Transcript show: (sum // $times) printString; cr.
(Smalltalk at: #Base) class compile: 'run: method on: receiver <primitive: 188> ^ self run: receiver method: method'.
(Smalltalk at: #Base) class compile: 'with: receiver run: arguments method: method <primitive: 188> ^ #failed'.
method := (Smalltalk at: #Upper) >> #two.
odd := {3. nil. #(7 8). 'four'. thisContext. Object new. 1.5. objects first}.
3 timesRepeat: [
	odd do: [ :each |
		Transcript show: ([ ((Smalltalk at: #Base) with: each run: #() method: method) class printString ]
			on: Error do: [ :error | error return: error class printString ]); space ].
	Transcript cr ].
SCRIPT
}

sub collecting {
    my ($times) = @_;
    return write_file("collecting$times.st", <<"SCRIPT");
| list |
list := OrderedCollection new.
1 to: 100 do: [ :i | list add: i printString size; add: (i odd ifTrue: [ i ] ifFalse: [ i asFloat ]) truncated ].
$times timesRepeat: [ Smalltalk garbageCollect ].
1 to: 100 do: [ :i | list add: i printString size; add: (i odd ifTrue: [ i ] ifFalse: [ i asFloat ]) truncated ].
Transcript show: list size printString; cr.
SCRIPT
}

my $hot = '--jit=x64,threshold=1,loop-threshold=1';
my @processors = ('', has_plugin(cpu => 'sim') ? ' --cpu=sim' : ());
my $of_super;
for my $options ('--jit=none', map { ("$hot$_", "$hot --check --torture=deopt:7$_") } @processors) {
    my $answer = `$osvm $options $many 2>&1`;
    ok($? == 0 && $answer eq $names, "$options: each send finds its method")
        or diag(substr $answer, 0, 1000);
    $answer = `$osvm $options @{[super_sends(20)]} 2>&1`;
    $of_super //= $answer; # the interpreter's
    like($answer, qr/^12036$/m, "$options: super sends find their methods");
    is($answer, $of_super, "$options: what lacks variables is found out");
    $answer = `$osvm $options $copies 2>&1`;
    is($answer, $of_copies, "$options: a class index that is used again stands for another class");
}
for my $processor (@processors) {
    my ($few, $many) = map { `$osvm --log=info $hot$processor $_ 2>&1` =~ /(\d+) targets linked/ ? $1 : -1 }
        map { super_sends($_) } 5, 500;
    cmp_ok($many, '<', $few + 10, "$hot$processor: super sends are linked once ($few, $many)");
    my ($once, $often) = map { `$osvm --log=info $hot$processor $_ 2>&1` =~ /(\d+) targets linked/ ? $1 : -1 }
        map { collecting($_) } 1, 50;
    cmp_ok($once, '>', 100, "$hot$processor: sites are linked");
    cmp_ok($often, '<', $once + 10, "$hot$processor: full collections leave them so ($once, $often)");
}
done_testing;
