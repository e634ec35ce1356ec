#!/usr/bin/env perl
# No function of any module may crash the VM, whatever it is called with: each is called with receivers and
# arguments of all kinds, in all numbers, at random, and afterwards the heap must be sound.
#
#   OSVM_TEST_SEED=N OSVM_TEST_CALLS=M t/bad_arguments.t     other calls, more of them
use strict;
use warnings;
use Cwd qw(abs_path);
use Test::More;
use lib 't/support';
use OsvmTest;

my $root  = abs_path('.');
my $seed  = $ENV{OSVM_TEST_SEED} || 20261;
my $calls = $ENV{OSVM_TEST_CALLS} || 15000;

# What reads a terminal waits for somebody to type.
my %functions;
for my $folder (glob 'plugins/prims/*') {
    my ($module, @names);
    for my $source (glob "$folder/*.c") {
        open my $file, '<', $source or die "$source: $!\n";
        while (<$file>) {
            $module = $1 if /\.module = "(\w+)"/;
            push @names, $1 if /^    \{"(\w+)", \w+, -?\d+/;
        }
    }
    $functions{$module} = \@names unless $folder =~ /terminal/;
}
my $count = map { @$_ } values %functions;
cmp_ok($count, '>', 150, "$count functions of " . keys(%functions) . ' modules');

write_file('Storm/package.st', "Package { #name : #'Storm' }\n");
my $class = <<'END';
"
Calls of functions with arguments of all kinds.
"
Class {
	#name : #Storm,
	#superclass : #Object,
	#instVars : [ 'random', 'pool', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm' ],
	#category : #'Storm'
}

{ #category : #running }
Storm class >> run: count seed: seed [
	self new run: count seed: seed
]

{ #category : #running }
Storm >> any [
	^ pool at: (random nextInteger: pool size)
]

{ #category : #running }
Storm >> makePool [
	| other |
	pool := OrderedCollection new.
	{ nil. true. false. 0. 1. -1. 3. 16. 32. 255. 256. 65536. SmallInteger maxVal. SmallInteger minVal. 1 bitShift: 31.
		1 bitShift: 63. (1 bitShift: 64) - 1. (1 bitShift: 100) negated. 0.0. 1.5. -1.0e300. 1.0e300 * 1.0e300. $a.
		Character value: 16r10FFFF. ''. 'a'. 'no such file'. 'SO_LINGER'. '127.0.0.1'. #symbol. #(). { 1. 2. 3 }.
		Array new: 30. ByteArray new: 0. ByteArray new: 4. ByteArray new: 16. ByteArray new: 24. ByteArray new: 300.
		WordArray new: 0. WordArray new: 4. WordArray new: 286. WordArray new: 512. WordArray new: 32768.
		Bitmap new: 64. DoubleByteArray new: 5. DoubleWordArray new: 9. FloatArray new: 3. Object. Storm >> #any.
		3 @ 4. Object new. self. Semaphore new. thisContext. [ :x | x ]. WeakArray new: 3. String new: 70000 } do: [ :each | pool add: each ].
	20 timesRepeat: [
		other := ByteArray new: (random nextInteger: 40).
		1 to: other size do: [ :index | other at: index put: (random nextInteger: 256) - 1 ].
		pool add: other ].
	pool add: ((ByteArray new: 16) beReadOnly; yourself).
	10 timesRepeat: [ pool add: (Array new: 16) ].
	20 timesRepeat: [ pool add: (random nextInteger: 40) ].
	20 timesRepeat: [ pool add: (self copyFilled) ]
]

{ #category : #running }
Storm >> copyFilled [
	"Objects with fields, as streams and forms are."
	| copy |
	copy := Storm new.
	3 to: Storm instSize do: [ :index | copy instVarAt: index put: self any ].
	copy instVarAt: 1 put: self any; instVarAt: 2 put: self any.
	^ copy
]

{ #category : #running }
Storm >> run: count seed: seed [
	| methods method done |
	done := 0.
	random := Random seed: seed.
	self makePool.
	methods := (Storm selectors asArray select: [ :each | each beginsWith: 'call' ]) asSortedCollection asArray
		collect: [ :each | Storm >> each ].
	count timesRepeat: [
		method := methods at: (random nextInteger: methods size).
		(random nextInteger: 50) = 1 ifTrue: [ pool at: (random nextInteger: pool size) put: self copyFilled ].
		(method valueWithReceiver: self any arguments: ((1 to: method numArgs) collect: [ :each | self any ]) asArray)
			== #failed ifFalse: [ done := done + 1 ] ].
	Smalltalk garbageCollect.
	Stdio stderr nextPutAll: 'called '; print: count; nextPutAll: ', answered '; print: done; lf; flush.
	Console quit: 0
]
END
my $number = 0;
for my $module (sort keys %functions) {
    for my $name (@{ $functions{$module} }) {
        $number++;
        for my $arity (0 .. 7) {
            my $head = $arity ? join(' ', map { ($_ == 1 ? "call$number" : 'w') . ": x$_" } 1 .. $arity) : "call$number";
            $class .= "\n{ #category : #calls }\nStorm >> $head [\n\t<primitive: '$name' module: '$module'>\n\t^ #failed\n]\n";
        }
    }
}
write_file('Storm/Storm.class.st', $class);

for my $bits (64, 32) {
    my $image = "$dir/storm$bits.image";
    is(system($osvm, 'build', "--bits=$bits", "--start=Storm run: $calls seed: $seed", '-o', $image, "$root/image",
        "$dir/Storm"), 0, "w$bits: built");
    for my $variant ('', '--check') {
        my $name = "w$bits/" . ($variant ? 'checked' : 'production');
        mkdir "$dir/empty" or 1;
        my $output = `cd $dir/empty && timeout 1800 $osvm $variant $image 2>&1 >/dev/null </dev/null`;
        my $status = $?;
        is($status, 0, "$name: ends normally") or diag(substr $output, -1500);
        my ($answered) = $output =~ /called $calls, answered (\d+)/;
        cmp_ok($answered // 0, '>', $calls / 50, "$name: made all calls, and not all were wrong");
        system 'rm', '-rf', "$dir/empty";
    }
}
done_testing();
