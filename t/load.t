#!/usr/bin/env perl
# Sources of others: Tonel directories with traits, extensions and missing names, and files of chunks that use what comes later.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my ($out, $err);
sub run {
    my ($arguments) = @_;
    (my $status, $out, $err) = run_command("timeout 1800 $osvm $arguments");
    return $status;
}

write_file('tonel/package.st', "Package { #name : #Loaded }\n");
write_file('tonel/LoadedThing.class.st', <<'END');
"
I say ""hello"", and have quotes in my comment.
"
Class {
	#name : 'LoadedThing',
	#superclass : 'Object',
	#traits : 'TLoaded + TSized',
	#classTraits : 'TLoaded classTrait',
	#instVars : [
		'name'
	],
	#category : 'Loaded',
	#package : 'Loaded'
}

{ #category : 'accessing' }
LoadedThing >> later [
	^ LoadedLater new value + LoadedNever
]
END
write_file('tonel/LoadedLater.class.st', <<'END');
Class { #name : #LoadedLater, #superclass : #Object, #category : #Loaded }

{ #category : #accessing }
LoadedLater >> value [
	^ 42
]
END
write_file('tonel/TLoaded.trait.st', <<'END');
Trait {
	#name : #TLoaded,
	#category : #Loaded
}

{ #category : #making }
TLoaded classSide >> make [
	^ self new width: 6
]

{ #category : #accessing }
TLoaded >> area [
	^ self width * self width
]
END
write_file('tonel/TSized.trait.st', <<'END');
Trait {
	#name : #TSized,
	#instVars : [
		'width'
	],
	#category : #Loaded
}

{ #category : #accessing }
TSized >> width [
	^ width
]

{ #category : #accessing }
TSized >> width: anInteger [
	width := anInteger
]
END
write_file('tonel/Zork.extension.st', "Extension { #name : #Zork }\n\n{ #category : #'*Loaded' }\nZork >> foo [\n\t^ 1\n]\n");
write_file('tonel/LoadedOrphan.class.st', "Class { #name : #LoadedOrphan, #superclass : #Zork, #category : #Loaded }\n");

for my $bits (64, 32) {
    my $load = "--bits=$bits load $dir/tonel";
    is(run("$load -e 'LoadedThing make area'"), 0, "w$bits: classes, traits and extensions load");
    is($out, "36\n", "w$bits: ... methods of traits work, on both sides");
    my @warnings = sort grep { /^Warning/ } split /\n/, $err;
    is(scalar @warnings, 3, "w$bits: what is missing is told") or diag($err);
    like($err, qr{LoadedNever is not declared, and nil in LoadedThing>>later}, "w$bits: ... a name");
    like($err, qr{Zork\.extension\.st: there is no class Zork; its methods are left out}, "w$bits: ... a class that is extended");
    like($err, qr{LoadedOrphan\.class\.st: there is no superclass Zork; LoadedOrphan is left out}, "w$bits: ... a superclass");
    is(run("$load -e 'LoadedThing comment'"), 0, "w$bits: quotes in comments");
    is($out, "'I say \"hello\", and have quotes in my comment.'\n", "w$bits: ... are single");
    is(run("$load -e 'Smalltalk at: #LoadedNever put: 1. LoadedThing new later'"), 0,
        "w$bits: a name may be declared afterwards");
    is($out, "43\n", "w$bits: ... and is seen then");
}

write_file('wrong/Wrong.class.st', <<'END');
Class { #name : #Wrong, #superclass : #Object, #category : #Loaded }

{ #category : #accessing }
Wrong >> value [
	^ 4 +
]
END
is(run("load $dir/wrong -e 1"), 1, 'a mistake ends the program');
like($err, qr{Wrong\.class\.st:5: an argument of this operator expected}, '... with file and line');

write_file('later.st', <<'END');
Object subclass: #ChunkFirst instanceVariableNames: '' classVariableNames: '' poolDictionaries: '' category: 'Chunks'!
!ChunkFirst methodsFor: 'use' stamp: 'x 1/1/2024 10:00'!
value
	^ ChunkSecond new value! !
Object subclass: #ChunkSecond instanceVariableNames: '' classVariableNames: '' poolDictionaries: '' category: 'Chunks'!
!ChunkSecond methodsFor: 'use'!
value
	^ 'later!!'! !
Transcript show: ChunkFirst new value; cr!
END
is(run("$dir/later.st"), 0, 'chunks may use a class that a later one defines');
is("$out$err", "later!\n", '... without a warning');
is(run("load $dir/later.st -e 'ChunkSecond new value size'"), 0, '... and be loaded');
is($out, "later!\n6\n", '... before the rest');

write_file('again/Again.class.st', <<'END');
Class { #name : #Again, #superclass : #Object, #category : #Loaded }

{ #category : #accessing }
Again >> first [
	^ 1
]
END
is(run("load $dir/again --save $dir/again.image"), 0, 'a class is kept in an image');
write_file('again/Again.class.st', <<'END');
Class { #name : #Again, #superclass : #Object, #category : #Loaded }

{ #category : #accessing }
Again >> second [
	^ 2
]
END
is(run("$dir/again.image load $dir/again -e 'Again selectors'"), 0, '... and loaded once more');
is($out, "#(#second)\n", '... has the methods that it has now');

done_testing();
