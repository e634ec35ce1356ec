#!/usr/bin/env perl
# Whatever writes a file replaces it whole or not at all: each operation a save needs fails once, the process dies
# before each, the disk is full after so many bytes, the target is a link, read-only, or in a folder that cannot be
# written. The old file is there then, nothing else is, and the reason is told.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;
use lib 't/support';
use OsvmTest;

my $home = tempdir(CLEANUP => 1);
my $dir  = "$home/target";
mkdir $dir or die;

sub run_osvm {
    my ($command, $target, $world) = @_;
    $command =~ s/TARGET/$target/g;
    my $said = `timeout 1800 $osvm @{[$world ? "--world=$world" : '']} $command 2>&1`;
    return ($?, $said);
}

# What is in the folder besides the target.
sub left_over {
    opendir my $folder, $dir or die;
    return join ' ', grep { !/^(\.\.?|target)$/ } readdir $folder;
}

write_file("$home/method.asm", <<'END');
method Object>>yourself
  set sista
  literals
    #yourself
    methodClass
  code
    pushInt 42
    returnTop
end
END
is(system($osvm, 'build', '--sources=drop', "--strip=$home/report", '--start=3 + 4', '-o', "$home/source.image", 'image'), 0, 'a small image');

# Is the new file there, all of it?
sub is_complete {
    my ($name, $target) = @_;
    return read_file($target) =~ /\n\z/ if $name eq 'report of build';
    return `$osvm check $target 2>&1` =~ /: sound: /;
}

# As a user who is not root; undef if that cannot be tried.
sub run_as_nobody {
    my ($command, $target) = @_;
    $command =~ s/TARGET/$target/g;
    my $child = open(my $output, '-|') // die;
    if (!$child) {
        open STDERR, '>&', \*STDOUT;
        if ($> == 0) {
            ($(, $)) = (65534, '65534 65534');
            ($<, $>) = (65534, 65534);
        }
        exec "test -x $osvm || exit 99; exec timeout 1800 $osvm $command" or exit 99;
    }
    my $said = join '', <$output>;
    close $output;
    return $? >> 8 == 99 ? () : ($?, $said);
}

# What writes, with the least number of operations that must be found to fail. Some
# run only with OSVM_TEST_LONG set.
my %writers = (
    convert               => [8, "convert --bits=32 $home/source.image -o TARGET"],
    'convert, same width' => [8, "convert --bits=64 $home/source.image -o TARGET"],
    asm                   => [8, "asm $home/method.asm --image=$home/source.image -o TARGET"],
    build                 => [8, "build --sources=drop --strip --start='3 + 4' image -o TARGET"],
    'report of build'     => [8, "build --strip=TARGET --start='3 + 4' image -o $home/other.image"],
    snapshot              => [8, q{--jit=none -e "Smalltalk snapshotAs: 'TARGET'"}],
    'snapshot, a segment' => [8, q{--jit=none -e "Smalltalk at: #Kept put: (ImageSegment roots: { 'kept' copy }). Smalltalk snapshotAs: 'TARGET'"}],
    'snapshot in a clone' => [8, q{--jit=none -e "(Smalltalk saveInBackgroundAs: 'TARGET') wait ifFalse: [ self error: 'the clone failed' ]"}],
);
my @short = qw(convert asm build snapshot);

for my $name ($ENV{OSVM_TEST_LONG} ? sort keys %writers : @short) {
    my ($least, $command) = @{$writers{$name}};
    my ($failures, $whole, $clean, $told, $crashes, $sound) = (0) x 6;
    for my $operation (qw(open write sync mode close rename stat dirsync)) {
        for my $n (1 .. 60) {
            write_file("$dir/target", 'old');
            my ($status, $said) = run_osvm($command, "$dir/target", "faulty,fail=$operation:$n");
            last if $status == 0;
            $failures++;
            $told++ if $said =~ /Input.output error/ || diag("$name, $operation $n: $said");
            my $now = read_file("$dir/target");
            $whole++ if $now eq 'old' || ($operation eq 'dirsync' && is_complete($name, "$dir/target") && $said =~ /is saved, but its folder/)
                || diag("$name, $operation $n: the target is lost: $said");
            $clean++ if left_over() eq '' || diag("$name, $operation $n: left over: " . left_over());
            unlink glob "$dir/.osvm*";
        }
    }
    cmp_ok($failures, '>=', $least, "$name: $failures failures");
    is($whole, $failures, "$name: the target is as it was, or whole");
    is($clean, $failures, "$name: nothing is left over");
    is($told, $failures, "$name: the reason is told");
    for my $operation (qw(open write sync mode close rename dirsync)) {
        for my $n (1 .. 60) {
            write_file("$dir/target", 'old');
            my ($status, $said) = run_osvm($command, "$dir/target", "faulty,crash=$operation:$n");
            last if $status == 0;
            $crashes++;
            my $now = read_file("$dir/target");
            $sound++ if $now eq 'old' || is_complete($name, "$dir/target")
                || diag("$name, crash before $operation $n: the target has " . length($now) . ' bytes');
            unlink glob "$dir/.osvm*";
        }
    }
    cmp_ok($crashes, '>', 4, "$name: $crashes crashes");
    is($sound, $crashes, "$name: each leaves the old file or the new one");

    unlink "$dir/target";
    my ($status, $said) = run_osvm($command, "$dir/target");
    is($status, 0, "$name: a new file") or diag($said);
    my $size = -s "$dir/target";
    is((stat _)[2] & 07777, 0666 & ~umask, "$name: has the usual mode");
    my @full = grep { $_ < $size } 0, 1, int($size / 2), $size - 1;
    my $refused = grep {
        write_file("$dir/target", 'old');
        ($status, $said) = run_osvm($command, "$dir/target", "faulty,space=$_");
        $status && $said =~ /No space left/ && read_file("$dir/target") eq 'old' && left_over() eq '' || (diag("$name: space $_: $status $said"), 0);
    } @full;
    is($refused, @full, "$name: a full disk changes nothing");

    write_file("$home/real", 'old');
    chmod 0640, "$home/real";
    unlink "$dir/target";
    symlink '../real', "$dir/target" or die;
    ($status) = run_osvm($command, "$dir/target");
    is($status, 0, "$name: a link");
    ok(-l "$dir/target" && -s "$home/real" > 3, "$name: stays one, and what it leads to is replaced");
    is((stat "$home/real")[2] & 07777, 0640, "$name: its mode is kept");
    unlink "$dir/target";

    write_file("$dir/target", 'old');
    chmod 0444, "$dir/target";
    ($status, $said) = run_osvm($command, "$dir/target");
    isnt($status, 0, "$name: a read-only file is refused");
    like($said, qr/Permission denied/, "$name: and the reason is told");
    is(read_file("$dir/target"), 'old', "$name: it stays as it was");
    is(left_over(), '', "$name: nothing is left over");
    chmod 0644, "$dir/target";
    ($status, $said) = run_osvm($command, "$home/none/target");
    isnt($status, 0, "$name: a folder that is not there");
    like($said, qr/No such file/, "$name: and the reason is told");
    ($status, $said) = run_osvm($command, "$dir/target", 'muted');
    isnt($status, 0, "$name: a muted world");
    like($said, qr/nothing is written in the world 'muted'/, "$name: which says so");
    is(read_file("$dir/target"), 'old', "$name: and changes nothing");
    SKIP: {
        chmod 0755, $home;
        chmod 0555, $dir;
        ($status, $said) = run_as_nobody($command, "$dir/target");
        chmod 0755, $dir;
        skip "$name: no user that may run osvm and may not write", 1 unless defined $status;
        ok($status && $said =~ /Permission denied/ && read_file("$dir/target") eq 'old' && left_over() eq '',
            "$name: a folder that cannot be written") or diag($said);
    }
}
done_testing();
