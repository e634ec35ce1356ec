#!/usr/bin/env perl
# Machine code in want of room: the zone is full while sends are linked, frames fill stack pages, objects
# move between compilations, clones are made among them. The interpreter knows the answers.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

plan skip_all => 'built without JIT' unless has_plugin(jit => 'x64');

# Sites of two to ten classes; recursion through methods, blocks, closures that return from afar, and a
# frame as large as can be.
my $temps   = join ' ', map { "t$_" } 1 .. 40;
my $classes = <<"END";
| objects sum again large |
Object subclass: #Root instanceVariableNames: '' classVariableNames: '' package: 'Room'.
objects := (1 to: 10) collect: [ :i |
	((Smalltalk at: #Root) subclass: ('Leaf' , i printString) asSymbol instanceVariableNames: ''
		classVariableNames: '' package: 'Room')
			compile: 'number ^ ' , i printString;
			compile: 'twice ^ self number * 2';
			new ].
(Smalltalk at: #Root)
	compile: 'add: other ^ self number + other twice';
	compile: 'down: n ^ n = 0 ifTrue: [ self number ] ifFalse: [ (self down: n - 1) + 1 ]';
	compile: 'large: n | $temps | t1 := n. t40 := n. n = 0 ifTrue: [ ^ 0 ]. ^ (self large: n - 1) + t40 - t1 + 1';
	compile: 'find: n in: all all do: [ :each | each number = n ifTrue: [ ^ each ] ]. ^ nil';
	compile: 'far: n do: aBlock ^ n = 0 ifTrue: [ aBlock value ] ifFalse: [ self far: n - 1 do: [ aBlock value ] ]';
	compile: 'leave: n ^ self far: n do: [ ^ n ]';
	compile: 'tidy: n ^ n = 0 ifTrue: [ 0 ] ifFalse: [ [ (self tidy: n - 1) + 1 ] ensure: [ self number ] ]'.
again := [ sum := 0.
	2 to: 10 do: [ :most |
		1 to: most do: [ :i | | other |
			other := objects at: most + 1 - i.
			sum := sum + ((objects at: i) add: other) + ((objects at: i) find: i in: objects) number ] ].
	sum := sum + (objects last down: 200) + (objects first large: 40) + (objects first leave: 60)
		+ (objects first tidy: 60).
	sum ].
END
my $loop = write_file('loop.st', $classes . <<'END');
(1 to: 5) do: [ :i |
	(Smalltalk at: #Root) compile: 'new' , i printString , ': a ^ a + ' , i printString.
	Stdio stdout print: again value; lf ].
Stdio stdout nextPutAll: 'overflows '; print: (Smalltalk vmParameterAt: 60); lf.
END
# Both go on compiling and linking, the clone what is left of its copy of the zone.
my $clones = write_file('clones.st', $classes . <<'END');
large := again value.
(1 to: 3) do: [ :i | | clone |
	(Smalltalk at: #Root) compile: 'new' , i printString , ': a ^ self down: a'.
	clone := Clone do: [
		(Smalltalk at: #Root) compile: 'only: a ^ self number * a'.
		(again value = large) and: [ (objects last only: 2) = 20 ] ].
	(Smalltalk at: #Root) compile: 'only: a ^ self number + a'.
	Stdio stdout print: again value = large; lf; print: (objects last only: 2); lf; print: clone wait; lf; flush ].
END

# A chain of methods that fills the zone, all of them active; the last one is hot and finds no room. When they have
# returned, there is some, and it is compiled after all.
my $late = write_file('late.st', <<'END');
| root |
root := Object subclass: #Root instanceVariableNames: '' classVariableNames: '' package: 'Room'.
root compile: 'hot: n ^ n < 2 ifTrue: [ 1 ] ifFalse: [ (self hot: n - 1) + (self hot: n - 2) ]'.
1 to: 150 do: [ :i |
	root compile: 'chain' , i printString , ': n ^ (self chain' , (i + 1) printString , ': n) + (n at: ' , (i \\ 3 + 1) printString
		, ') + (n at: 1) size + n size - (n at: 2) printString size' ].
root compile: 'chain151: n | sum | sum := 0. 1 to: 300 do: [ :i | sum := sum + (self hot: 4) ]. ^ sum'.
Stdio stdout print: (root new chain1: #(1 2 3)); lf; flush.
Stdio stdout print: (root new hot: 28); lf
END

sub run {
    my ($options, $program) = @_;
    my $said = `timeout 1800 $osvm --deterministic $options --log=info $program 2>&1`;
    my $status = $?;
    my %count = (pages => $said =~ s/^overflows (\d+)\n//m ? $1 : 0);
    $count{$2} = $1 while $said =~ /(\d+) (compiled|reclaims|sites)\b/g;
    $said =~ s/^osvm: .*\n//mg;
    return ($status, $said, \%count);
}

my (undef, $loops) = run('--jit=none', $loop);
my (undef, $answers) = run('--jit=none', $clones);
is(scalar(() = $loops =~ /^\d+$/mg), 5, 'the interpreter answers');
is($answers, "true\n12\ntrue\n" x 3, '... and its clones');

for my $check ('', ' --check') {
    my ($status, $said) = run("--jit=x64,threshold=1 --code-zone=64K$check", $late);
    my ($none, $expected) = run('--jit=none', $late);
    is($said, $expected, "a zone full of what runs$check: answers as ever");
    $said = `$osvm --deterministic --jit=x64,threshold=1 --code-zone=64K$check --log=info $late 2>&1`;
    my ($off) = $said =~ /(\d+) compilations put off/;
    my ($machine, $all) = $said =~ /(\d+) of (\d+) activations/;
    ok($off && $machine / $all > 0.9, "... $off compilations were put off, $machine of $all activations in machine code")
        or diag($said);
}

my @tortures = (
    'code-full:5',
    'code-full:7,seed:5,scavenge:3,collect:300,move,poison',
    'code-full:5,deopt:5,tiny-spaces',
    'tiny-spaces',
    'tiny-spaces,scavenge:10,collect:3000,move,poison',
);
my $hot = '--jit=x64,threshold=1,loop-threshold=1 --code-zone=256K --stack-pages=4';
my @processors = ('', has_plugin(cpu => 'sim') ? ' --cpu=sim' : ());
for my $check ('', ' --check') {
    for my $torture (@tortures) {
        my $native;
        for my $processor (@processors) {
            my $options = "$hot$processor$check --torture=$torture";
            my ($status, $said, $count) = run($options, $loop);
            ok($status == 0 && $said eq $loops, "$options: answers as ever") or diag($said);
            my ($reclaims, $sites) = @$count{'reclaims', 'sites'};
            ok($reclaims > 100 && $sites > 0, "... in $reclaims reclaims, $sites of them for caches")
                if $torture =~ /code-full/;
            ok($count->{pages} > 2000, "... in $count->{pages} stack pages") if $torture =~ /tiny/;
            $native ||= $count;
            is_deeply($count, $native, '... as natively') if $processor;
        }
    }
    for my $processor (@processors) {
        my $options = "$hot$processor$check --torture=code-full:5";
        my ($status, $said) = run($options, $clones);
        is($said, $answers, "$options: clones");
    }
}
done_testing();
