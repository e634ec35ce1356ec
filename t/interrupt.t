#!/usr/bin/env perl
# Ctrl-C outside of the prompt: in loops, waits, primitives, reading, in scripts and expressions; what was written is not lost.
use strict;
use warnings;
use File::Temp qw(tempdir);
use IPC::Open3 qw(open3);
use POSIX qw(:sys_wait_h);
use Test::More;

my $osvm = $ENV{OSVM} || 'build/osvm';
my $dir  = tempdir(CLEANUP => 1);

# Runs the program until it has said "ready" on the standard error, and interrupts it; answers exit status and output.
sub interrupted {
    my (@command) = @_;
    my $pid = open3(my $in, my $out, my $err = Symbol::gensym(), $osvm, @command);
    my $line = <$err> // '';
    select undef, undef, undef, 0.1;
    kill 'INT', $pid;
    my $ended = 0;
    for (1 .. 200) {
        $ended = waitpid $pid, WNOHANG;
        last if $ended;
        select undef, undef, undef, 0.1;
    }
    my $status = $?;
    if (!$ended) { kill 'KILL', $pid; waitpid $pid, 0; return ('hangs', '') }
    local $/;
    my $text = <$out> // '';
    return ($status & 127 ? "signal $status" : $status >> 8, $text);
}

my $ready    = "Transcript show: 'written'; cr. Stdio stderr nextPutAll: 'ready'; lf; flush. ";
my %programs = (
    'a loop'                    => '[ true ] whileTrue: [ ]',
    'a loop that allocates'     => '[ Array new: 100 ] repeat',
    'a wait for a delay'        => '(Delay forSeconds: 100) wait',
    'many primitives'           => '[ (3 raisedTo: 20000) * (7 raisedTo: 20000) ] repeat',
    'a loop in another process' => '[ [ true ] whileTrue: [ ] ] forkAt: 45. (Delay forSeconds: 100) wait',
    'reading the standard input' => 'Stdio stdin nextLine',
    'a recursion'               => "block := nil. block := [ :n | n = 0 ifFalse: [ block value: n - 1 ] ]. [ block value: 1000 ] repeat",
    'an unwind block'           => '[ [ (Delay forSeconds: 100) wait ] ensure: [ Transcript show: \'undone\'; cr ] ] value',
);
for my $name (sort keys %programs) {
    my $expected = "written\n" . ($name eq 'an unwind block' ? "undone\n" : '');
    my ($status, $text) = interrupted('-e', $ready . $programs{$name});
    is($status, 130, "expression, $name: exit status");
    is($text, $expected, "expression, $name: what was written is there");
    open my $file, '>', "$dir/script.st" or die;
    print $file $ready, $programs{$name}, "\n";
    close $file;
    ($status, $text) = interrupted("$dir/script.st");
    is($status, 130, "script, $name: exit status");
    is($text, $expected, "script, $name: what was written is there");
}

my ($status, $text) = interrupted('-e', $ready . '[ [ true ] whileTrue: [ ] ] on: UserInterrupt do: [ :each | Smalltalk exit: 7 ]');
is($status, 7, 'UserInterrupt can be handled');
($status, $text) = interrupted('test', 'NoSuchTestAtAll');
is($status, 1, 'an end before the signal keeps its exit status');

done_testing();
