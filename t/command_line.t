#!/usr/bin/env perl
# What the built-in image does with its arguments: expressions, scripts, messages, loading, saving, and its exit codes.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

# Runs a shell command line; $out and $err get what it wrote.
my ($out, $err);
sub run {
    my ($command) = @_;
    (my $status, $out, $err) = run_command("timeout 1800 $command");
    return $status;
}

my $script = write_file('script.st', <<'END');
#!/usr/bin/env osvm
"A class, and then its use."
| unused |
Object subclass: #Doubler instanceVariableNames: '' classVariableNames: '' package: 'Script'.
Doubler compile: 'double: x ^ x * 2'.
total := CommandLine arguments inject: 0 into: [ :sum :each | sum + (Doubler new double: each asNumber) ].
Stdio stdout print: total; lf.
Smalltalk exit: 3
END
my $wrong = write_file('wrong.st', "x := 3.\n\nx\n    foo: 4\n");
my $syntax = write_file('syntax.st', "x := 3.\ny := (4.\n");
my $chunks = write_file('chunks.st', <<'END');
Object subclass: #Chunk instanceVariableNames: 'a' classVariableNames: '' poolDictionaries: '' category: 'Script'!
!Chunk methodsFor: 'testing'!
bang
	^ 'one!! more'! !
Stdio stdout nextPutAll: Chunk new bang; lf!
END
mkdir "$dir/tonel";
write_file('tonel/Loaded.class.st', <<'END');
"
I am loaded.
"
Class { #name : #Loaded, #superclass : #Object, #category : #Loaded }

{ #category : #running }
Loaded class >> run: arguments [
	Stdio stdout nextPutAll: (arguments copyWithFirst: 'run') printString; lf.
	^ 7
]
END
write_file('tonel/LoadedTest.class.st', <<'END');
Class { #name : #LoadedTest, #superclass : #TestCase, #category : #Loaded }

{ #category : #tests }
LoadedTest >> testOne [ self assert: 3 equals: 4 ]
END

for my $bits (64, 32) {
    my $vm = "$osvm --bits=$bits";
    is(run("$vm -e '3 + 4' 'x := 5. x * 2' x"), 0, "w$bits: -e");
    is($out, "7\n10\n5\n", "w$bits: prints each value; variables stay");
    is(run("$vm -e 'nil foo'"), 1, "w$bits: an error ends with 1");
    like($err, qr/^MessageNotUnderstood: nil does not understand #foo\n  UndefinedObject>>DoIt \(expression 1:1:\d+\)\n$/,
        "w$bits: and a report");
    is(run("$vm $script 1 2 3"), 3, "w$bits: a script's exit code");
    is($out, "12\n", "w$bits: its arguments, a class that it defines");
    is(run("$vm - 4 < $script"), 3, "w$bits: from the standard input");
    is($out, "8\n", "w$bits: with arguments");
    is(run("$vm $wrong"), 1, "w$bits: an error in a script");
    like($err, qr/does not understand #foo:\n  UndefinedObject>>DoIt \(\S+wrong\.st:4:5\)$/m, "w$bits: its place");
    is(run("$vm $syntax"), 1, "w$bits: a syntax error");
    like($err, qr/syntax\.st:2:\d+: /, "w$bits: its place");
    is(run("$vm $chunks"), 0, "w$bits: a script of chunks");
    is($out, "one! more\n", "w$bits: runs");
    is(run("$vm load $dir/tonel --run 'Loaded run:' a b"), 7, "w$bits: load, and a message; its value is the exit code");
    is($out, "#('run' 'a' 'b')\n", "w$bits: it gets the arguments");
    is(run("$vm load $dir/tonel test LoadedTest --tap"), 1, "w$bits: a test that fails ends with 1");
    like($out, qr/^1\.\.1\nnot ok 1 - LoadedTest>>testOne\n#   Got 3 instead of 4\n/, "w$bits: and a line of TAP");
    is(run("$vm load $dir/tonel --save $dir/saved$bits.image"), 0, "w$bits: --save") if -d $dir;
    is(run("$osvm $dir/saved$bits.image --run 'Loaded run:' c"), 7, "w$bits: the saved image does what its arguments say");
    is($out, "#('run' 'c')\n", "w$bits: with its own arguments");
    is(run("$vm -e 'x := (Delay forMilliseconds: 1) wait. 3' --save $dir/again$bits.image"), 0, "w$bits: saved behind -e");
    is(run("$osvm $dir/again$bits.image -e '(Delay forMilliseconds: 1) wait. 4'"), 0, "w$bits: delays go on in another session");
    is($out, "4\n", "w$bits: and its streams");
    is(run("$vm doc 'Object>>yourself'"), 0, "w$bits: doc");
    like($out, qr/^yourself\n/, "w$bits: shows the source");
    is(run("$vm doc NoSuchThing"), 1, "w$bits: doc of nothing");
    is(run("$vm test NoSuchTest"), 1, "w$bits: no test");
    is(run("$vm test TimeTest NoSuchTest"), 1, "w$bits: a pattern that no test matches");
    like($err, qr/^osvm: no test matches NoSuchTest$/m, "w$bits: is said");
    is(run("$vm test SUnitTest --tap TimeTest"), 0, "w$bits: tests of several patterns");
    like($out, qr/ - SUnitTest>>.* - TimeTest>>/s, "w$bits: are run");
    is(run("$vm --run Nonsense"), 64, "w$bits: a wrong command line");
    is(run("$vm $dir/none.st"), 66, "w$bits: a script that is not there");
    is(run("$vm -e 'Semaphore new wait'"), 1, "w$bits: nothing can run");
    like($err, qr/^Error: No process can run/, "w$bits: is said");
    is(run("sh -c \"$vm -e '1 to: 100000 do: [ :i | Stdio stdout print: i; lf ]' | head -1\""), 0, "w$bits: nobody reads the rest");
    is($out, "1\n", "w$bits: the first line");
    is($err, '', "w$bits: and no complaint");
}
done_testing();
