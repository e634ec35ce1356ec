#!/usr/bin/env perl
# A process ends at each of its first poll points in turn, in logical time: what it held is free, and it undid
# what it had begun to do and nothing else, in all tiers.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $program = "$dir/terminate.st";
write_file($program, <<'END');
| inside undone work ways out |
out := Stdio stdout.
work := [ [ inside := inside + 1. Processor yield ] ensure: [ undone := undone + 1 ] ].
ways := {
	'mutex' -> [ :lock | lock critical: work ] -> Mutex.
	'nested mutex' -> [ :lock | lock critical: [ lock critical: work ] ] -> Mutex.
	'monitor' -> [ :lock | lock critical: work ] -> Monitor.
	'semaphore' -> [ :lock | lock critical: work ] -> Semaphore.
	'return' -> [ :lock | lock critical: [ [ :exit | work value. exit value. work value ] valueWithExit ] ] -> Mutex.
	'error' -> [ :lock | [ lock critical: [ work value. self error: 'no' ] ] on: Error do: [ :error | error return ] ] -> Mutex }.
ways do: [ :way | | lock wrong |
	lock := way value = Semaphore ifTrue: [ Semaphore forMutualExclusion ] ifFalse: [ way value new ].
	wrong := 0.
	1 to: 600 do: [ :moment | | process |
		inside := undone := 0.
		process := [ [ way key value value: lock ] repeat ] newProcess.
		process priority: Processor activePriority - 1; resume.
		(Delay forMicroseconds: moment) wait.
		process terminate.
		(process isTerminated and: [ inside = undone
			and: [ ([ lock critical: [ #free ] ] valueWithin: 20 seconds onTimeout: [ #held ]) = #free ] ])
				ifFalse: [ wrong := wrong + 1 ] ].
	out nextPutAll: way key key; nextPutAll: ': '; print: wrong; nextPutAll: ' of 600 wrong, '; print: inside > 10; lf ]
END

my $hot = '--jit=x64,threshold=1,loop-threshold=1';
my @ways = ('--jit=none', '--jit=none --check');
push @ways, map { ("$hot$_", "$hot$_ --check") } '', ' --code-zone=48K', ' --torture=code-full:20', ' --torture=deopt:7'
    if has_plugin(jit => 'x64');
push @ways, "$hot --cpu=sim --code-zone=48K" if has_plugin(cpu => 'sim');
my @names = ('mutex', 'nested mutex', 'monitor', 'semaphore', 'return', 'error');
for my $way (@ways) {
    my @said = split /\n/, `timeout 1800 $osvm --deterministic $way $program 2>&1`;
    is($said[$_] // "ended with $?", "$names[$_]: 0 of 600 wrong, true", "$way: $names[$_]") for 0 .. $#names;
}
done_testing();
