#!/usr/bin/env perl
# Every command against everything that is not what it wants: files, streams, folders, numbers. It
# says what is wrong, ends with the code for it, loses nothing and leaves nothing behind.
use strict;
use warnings;
use Cwd qw(abs_path);
use Test::More;
use lib 't/support';
use OsvmTest;

my $sources = abs_path('image');
my $image = $osvm =~ s/osvm$/osvm.image/r;

# Runs in the folder, with little memory to spare (sanitizers want all there is); exit code and standard error.
my $limits = sanitizers() ? '' : 'ulimit -v 12000000;';
sub run {
    my ($arguments, $redirect) = @_;
    my $status = system('bash', '-c', "cd $dir && $limits { timeout 1800 '$osvm' $arguments 2>err </dev/null; } $redirect");
    return ($status >> 8, read_file("$dir/err"));
}

my $whole = read_file($image);
write_file('empty', '');
write_file('text.st', "Transcript show: 'hello'; cr\n");
write_file('cut.image', substr $whole, 0, 100_000);
write_file('head.image', substr $whole, 0, 100);
write_file('noise', pack 'L*', map { $_ * 2654435761 & 0xFFFFFFFF } 1 .. 10000);
write_file('method.asm', <<'END');
method Object>>yourself
  set sista
  code
    pushTrue
    returnTop
end
END
mkdir "$dir/folder";
symlink('/dev/zero', "$dir/endless.st") or die $!;
# Sizes that are not there: a file of holes, and an image whose header promises what is in its holes.
write_file('holes', '');
truncate("$dir/holes", 1 << 40) or die $!;
write_file('huge.image', substr($whole, 0, 8) . pack('Q<', 1 << 40) . substr($whole, 16, 100_000));
truncate("$dir/huge.image", (1 << 40) + 128) or die $!;

my $jit = (run("disasm 'Object>>yourself'", '>out'))[0] != 69;

# --- Inputs: command, then for each input the exit code and what is said
my $magic = qr/is no Spur image/;
my $no_room = qr/huge\.image: header: no room for 1099511627776 bytes/;
my %images = (
    none => [66, qr/cannot open image '?none'?: No such file|cannot (?:open|read) .*none/], folder => [66, qr/folder'?: Is a directory/],
    empty => [65, $magic], 'text.st' => [65, $magic], noise => [65, $magic], '/dev/null' => [65, $magic],
    '/dev/zero' => [65, $magic], holes => [65, $magic], 'huge.image' => [65, $no_room],
    'cut.image' => [65, qr/cut\.image/], 'head.image' => [65, qr/head\.image/],
);
for my $command ('run', 'info', 'check', 'dump', 'decompile', 'convert --bits=32 -o out.image', 'convert --bits=64 -o out.image',
    'disasm --summary --image=', 'asm method.asm -o out.image --image=') {
    next if $command =~ /^disasm/ && !$jit;
    for my $input (sort keys %images) {
        my ($code, $says) = @{$images{$input}};
        $says = qr/huge\.image: 1 finding/ if $command eq 'check' && $input eq 'huge.image';
        my ($status, $err) = run($command . ($command =~ /=$/ ? '' : ' ') . $input, '>out');
        is($status, $code, "osvm $command $input: exit code");
        like($err, $says, "osvm $command $input: what is said");
        is(scalar(() = $err =~ /\Q$input\E:/g) < 2 && $err =~ tr/\n// , 1, "osvm $command $input: in a line, once")
            or diag($err);
        ok(!-e "$dir/out.image", "osvm $command $input: no image is made");
    }
}

my @texts = (
    ['compile none', 1, qr/none:1:1: error: cannot read: No such file/],
    ['compile folder', 1, qr/folder:1:1: error: there are no sources/],
    ['compile /dev/zero', 1, qr/cannot read the file: File too large/],
    ['compile holes', 1, qr/cannot read the file: File too large/],
    ['compile noise', 1, qr/noise:/],
    ['build -o out.image none', 1, qr/none:1:1: error: cannot read/],
    ['build -o out.image folder', 1, qr/folder:1:1: error: there are no sources/],
    ['build -o out.image empty', 1, qr/an image needs a class/],
    ['load none', 66, qr/none/],
    ['load folder', 1, qr/There are no sources \(\*\.st\) in folder/],
    ['load noise', 1, qr/noise:1:\d+: /],
    ['load /dev/zero', 1, qr{^osvm: /dev/zero: more than \d+ bytes\n\z}],
    ['load holes', 1, qr/^osvm: holes: more than \d+ bytes\n\z/],
    ['endless.st', 1, qr/^osvm: endless\.st: more than \d+ bytes\n\z/],
    ['asm none', 66, qr/none: No such file/],
    ['asm folder', 66, qr/folder: Is a directory/],
    ['asm empty', 65, qr/empty: there is no method in it/],
    ['asm /dev/null', 65, qr{/dev/null: there is no method in it}],
    ['asm /dev/zero', 66, qr{/dev/zero: File too large}],
    ['asm noise', 65, qr/noise:1:1: /],
    ['fuzz gc --replay=none', 66, qr/none/],
    ['fuzz gc --replay=folder', 66, qr/folder': Is a directory/],
    ['fuzz gc --replay=/dev/zero', 66, qr{'/dev/zero': File too large}],
    ['fuzz gc --replay=empty', 65, qr/has no events/],
    ['fuzz gc --replay=noise', 65, qr/noise/],
    ['verify-gc none.so', 66, qr/none\.so/],
    ['verify-gc noise', 69, qr/noise/],
    ['verify-gc folder', 69, qr/folder/],
    ['none.st', 66, qr/none\.st/],
    ['doc Nothing', 1, qr/Nothing/],
    ['test Nothing', 1, qr/Nothing/],
    ['--plugin-path=folder --gc=none.such -e 1', 64, qr/none\.such/],
    ['--plugin-path=folder:none -e 1', 66, qr/^osvm: --plugin-path: no plugins can be found in 'none': No such file/],
    ["--max-heap=1M info $image", 65, qr/header: no room for \d+ bytes of objects\n\z/],
    ['--plugin-path=empty plugins', 66, qr/'empty': Not a directory/],
    ["--gc-log=/dev/full -e 'Smalltalk garbageCollect'", 74, qr/cannot write to the file of --gc-log: No space left/],
    ['--log=info,/dev/full -e 1', 74, qr/cannot write to the file of --log: No space left/],
    ['--log=info,folder plugins', 73, qr/cannot write the log/],
    ['--gc-log=folder/none/x -e 1', 73, qr/none/],
    ['--code-map=folder -e 1', 73, qr/folder/],
);
for my $row (@texts) {
    my ($command, $code, $says) = @$row;
    my ($status, $err) = run($command, '>out');
    is($status, $code, "osvm $command: exit code") or diag($err);
    like($err, $says, "osvm $command: what is said");
}
ok(!-e "$dir/out.image", 'no image was made');
{
    local $ENV{OSVM_PLUGIN_PATH} = '/none:folder';
    my ($status, $err) = run('-e 3', '>out');
    is($status, 0, 'an OSVM_PLUGIN_PATH of another machine') or diag($err);
    is($err, "osvm: warning: OSVM_PLUGIN_PATH: no plugins can be found in '/none': No such file or directory\n", '... is said');
}

# --- Standard input without end, and what cannot seek
for my $row (['-', '</dev/zero', 1, 'stdin: more than \d+ bytes'], ['disasm -', '</dev/zero', 74, 'standard input: File too large'],
    ["info /dev/stdin", "<$image", 0, ''], ["cat $image | OSVM info /dev/stdin", '', 66, "'/dev/stdin': Illegal seek"]) {
    my ($command, $input, $code, $says) = @$row;
    next if $command =~ /^disasm/ && !$jit;
    $command = "'$osvm' $command" unless $command =~ s/OSVM/'$osvm'/;
    is(system("cd $dir && $limits timeout 1800 $command $input >out 2>err") >> 8, $code, "$command: exit code");
    like(read_file("$dir/err"), $says ? qr/^osvm: .*$says\n\z/ : qr/^\z/, "$command: what is said");
}

# --- Plugins cut short, or with a bit turned in what the loader reads
my $plugin = read_file($osvm =~ s,osvm$,lib/osvm/64/gc-sweep.so,r);
mkdir "$dir/plugins";
for my $size (0, 3, 63, 64, 300, 1000, 8000, 30000) { # behind that there may be nothing that is loaded
    write_file('plugins/gc-sweep.so', substr $plugin, 0, $size);
    my ($status, $err) = run('--plugin-path=plugins --gc=sweep -e 1', '>out');
    is($status, 69, "a plugin of $size bytes: exit code");
    like($err, qr{^osvm: '.*/plugins/\./gc-sweep\.so' is no plugin: .*\n\z}, "a plugin of $size bytes: what is said");
}
for my $byte (4, 5, 16, 18, 40, 56) { # class, order, type, machine, sections, segments
    my $broken = $plugin;
    substr($broken, $byte, 1) ^= "\x01";
    write_file('plugins/gc-sweep.so', $broken);
    my ($status, $err) = run('--plugin-path=plugins --gc=sweep -e 1', '>out');
    ok($status == 69 && $err =~ m{^osvm: '.*/plugins/\./gc-sweep\.so' is no plugin: .*\n\z} || $status == 0 && $err eq '',
        "a plugin with byte $byte changed") or diag("$status $err");
}
unlink "$dir/plugins/gc-sweep.so";
rmdir "$dir/plugins";

# --- A full, a closed and a broken standard output, for every command that has something to say
my @speakers = ('--version', '--help', 'plugins', 'plugins --json', 'help', 'help worlds', 'info --help', "info $image", "info --json $image",
    "check $image", "dump $image", "dump --objects $image", "decompile $image 'Object>>yourself'", "decompile --summary $image",
    "disasm 'Object>>yourself'", "compile -S $sources", 'asm method.asm', '-e 3', 'doc Object', 'test ReflectionTest',
    'text.st', 'fuzz gc --events=100', 'bench gc --list');
my ($reader, $broken);
{
    local $^F = 255; # commands inherit it
    pipe $reader, $broken or die "pipe: $!";
    close $reader;
}
for my $command (@speakers) {
    next if $command =~ /^disasm/ && !$jit;
    for my $where (['full', '>/dev/full', 'No space left on device'], ['closed', '>&-', 'Bad file descriptor']) {
        my ($status, $err) = run($command, $where->[1]);
        is($status, 74, "osvm $command, $where->[0]: exit code");
        like($err, qr/^osvm: cannot write to standard output: $where->[2]$/m, "osvm $command, $where->[0]: what is said");
    }
    # A pipe that nobody reads ends a program of the image without a word, as a signal would.
    my ($status, $err) = run($command, '>&' . fileno $broken);
    if ($status == 141) { is($err, '', "osvm $command, broken pipe") }
    else { is("$status $err", "74 osvm: cannot write to standard output: Broken pipe\n", "osvm $command, broken pipe") }
}

# --- Numbers
my @huge = ('99999999999999999999999', '-1', '0x', '1e9', '', '1Q', '9223372036854775808');
for my $option ('eden', 'max-heap', 'stack-pages', 'code-zone', 'sim-from') {
    for my $number (@huge) {
        my ($status, $err) = run("--$option='$number' -e 1", '>out');
        is($status, 64, "--$option=$number: exit code");
        like($err, qr/^osvm: '\Q$number\E' is no value for option '--$option'.*\n\z/, "--$option=$number: what is said");
    }
}
for my $options ('--eden=8000G', '--max-heap=9000000000G', '--stack-pages=2000000000', '--code-zone=1000000G',
    '--torture=scavenge:99999999999999999999', '--torture=sideways', '--leak-check=everything', '--world=faulty,fail=read:x',
    '--gc=sweep,lazy=perhaps', '--gc=sweep,threads=99999999999', '--gc=sweep,lazi', '--cpu=none.such', '--mm=../x', '--bits=48') {
    my ($status, $err) = run("$options -e 1", '>out');
    ok($status == 64 || $status == 69 || $status == 70, "$options: exit code") or diag("$status $err");
    like($err, qr/^osvm: .*\n\z/, "$options: a sentence");
}

# --- Outputs that cannot be made: what is there stays
write_file('kept.image', 'precious');
for my $output ('folder', 'none/out.image', '/dev/full', '/proc/out.image') {
    for my $command ("convert --bits=32 -o $output $image", "asm method.asm --image=$image -o $output") {
        my ($status, $err) = run($command, '>out');
        is($status, 73, "osvm $command: exit code") or diag($err);
        like($err, qr/^osvm: .*\n\z/, "osvm $command: a sentence");
    }
}
is((run("convert --bits=32 -o kept.image cut.image", '>out'))[0], 65, 'a conversion that fails');
is(read_file("$dir/kept.image"), 'precious', '... leaves what was there');
SKIP: {
    skip('root may write everywhere', 2) if $> == 0 && system('setpriv --reuid=65534 true 2>/dev/null') != 0;
    mkdir "$dir/closed", 0555;
    chmod 0755, $dir;
    my $as = $> == 0 ? 'setpriv --reuid=65534 ' : '';
    my $status = system("${as}'$osvm' convert --bits=32 -o $dir/closed/x.image $image >$dir/out 2>$dir/err");
    is($status >> 8, 73, 'a folder that nothing may be written to');
    like(read_file("$dir/err"), qr/^osvm: .*Permission denied\n\z/, '... is said');
}
is(join(' ', sort map { s,.*/,,r } grep { !m,/\.\.?$, } glob "$dir/* $dir/.*"),
    'closed cut.image empty endless.st err folder head.image holes huge.image kept.image method.asm noise out text.st', 'nothing is left behind');
done_testing();
