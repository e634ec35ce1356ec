#!/usr/bin/env perl
# Sends that meet many classes, in machine code: ordinary and super sends of one selector by turns,
# so that caches of the one must not serve the other. The interpreter knows the answers.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $osvm = $ENV{OSVM} || 'build/osvm';
plan skip_all => 'built without JIT' unless `$osvm plugins` =~ /^jit +x64 /m;
my $dir = tempdir(CLEANUP => 1);
my $script = "$dir/sends.st";
open my $out, '>', $script or die $!;
print $out <<'SCRIPT';
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
close $out;

my $expected = join '', map { "kind of $_\n" } 1 .. 10, ('middle of root') x 10;
my $hot = '--jit=x64,threshold=1,loop-threshold=1';
my @processors = ('', `$osvm plugins` =~ /^cpu +sim /m ? ' --cpu=sim' : ());
for my $options ('--jit=none', map { ("$hot$_", "$hot --check --torture=deopt:7$_") } @processors) {
    my $answer = `$osvm $options $script 2>&1`;
    ok($? == 0 && $answer eq $expected, "$options: each send finds its method")
        or diag(substr $answer, 0, 1000);
}
done_testing;
