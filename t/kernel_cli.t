#!/usr/bin/env perl
# The command line, as a user meets it: commands, options, exit codes, standard streams.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

# Runs with the shell: exit code, standard output, standard error.
sub run {
    my ($arguments, $redirections) = @_;
    return run_command("'$osvm' $arguments", $redirections);
}

# A wrong command line: the exit code, a message of one line, nothing on standard output.
sub refused {
    my ($arguments, $code, $says) = @_;
    my ($status, $out, $err) = run($arguments);
    is($status, $code, "osvm $arguments: exit code");
    like($err, $says, "osvm $arguments: message");
    is($out, '', "osvm $arguments: nothing on standard output");
    is(scalar(() = $err =~ /\n/g), 1, "osvm $arguments: one line");
}

# --- Help and version
my ($status, $out, $err) = run('--version');
is("$status $err", '0 ', '--version');
like($out, qr/^osvm \d+\.\d+\n$/, '--version prints it');
($status, $out) = run('--help');
is($status, 0, '--help');
my @commands = $out =~ /^  ([a-z]+)   *\w/mg;
ok(@commands >= 8, 'it lists commands');
for my $command (@commands) {
    my ($code, $text) = run("help $command");
    is($code, 0, "help $command");
    like($text, qr/^usage: osvm .*\b$command\b/, "help $command shows how it is used");
    my ($code_too, $same) = run("$command --help");
    is($code_too, 0, "$command --help");
}
{
    local $ENV{OSVM_IMAGE} = "$dir/none.image";
    ($status, $out, $err) = run('');
    is($status, 66, 'no arguments: the built-in image is started');
    like($err, qr/none\.image/, '... and named where it is missing');
}

# --- What is refused
refused('--gcc=sweep x.image', 64, qr/no option '--gcc'; did you mean '--gc'/);
refused('-gc=sweep x.image', 64, qr/'--gc=sweep'/);
refused('infoo', 64, qr/did you mean 'osvm info'/);
refused('help infoo', 64, qr/did you mean 'info'/);
refused('info', 64, qr/needs IMAGE/);
refused('info a.image b.image', 64, qr/'b.image' is too much/);
refused('info --jsn a.image', 64, qr/did you mean '--json'/);
refused('plugins --jsno', 64, qr/did you mean '--json'/);
refused('--eden=lots x.image', 64, qr/'lots' is no value for option '--eden'/);
refused('--eden=1K x.image', 64, qr/it takes 65536 to/);
refused('--stack-pages=1 x.image', 64, qr/2 to/);
refused('--world=mutd plugins', 64, qr/did you mean 'muted'/);
refused('--world=faulty,fail=wrote:1 plugins', 64, qr/OPERATION:N/);
refused('--log=loud plugins', 64, qr/error, warning, info, debug/);
refused("--log=info,$dir/no/such plugins", 73, qr/cannot write the log/);
refused('--check=gx plugins', 64, qr/no kind of plugin 'gx'/);
refused('--gc=a/b plugins', 64, qr/NAME\[:VARIANT\]/);
refused('convert x.image', 64, qr/--bits/);
refused('--deterministic=perhaps x.image', 64, qr/yes or no/);

# What writes says so in a world where nothing is written.
for my $world ('muted', 'denied') {
    my $asm = write_file('m.txt', '');
    for my $command ("convert --bits=32 x.image -o $dir/out.image", "build x.st -o $dir/out.image",
        "asm $asm --image=x.image -o $dir/out.image") {
        refused("--world=$world $command", 77, qr{nothing is written in the world '$world', so '$dir/out.image' will not});
    }
}

refused('build', 64, qr/needs SOURCE/);
refused('build --bit=32 x.st', 64, qr/did you mean '--bits'/);
refused('build --bits=48 x.st', 64, qr/64\|32/);
refused('build x.st', 64, qr/needs -o IMAGE/);

# --- Images that are none
my $text = write_file('text.image', "hello, world\n");
my $short = write_file('short.image', 'ab');
my $old = write_file('old.image', pack('V', 6504) . "\0" x 100);
my $swapped = write_file('swapped.image', pack('N', 68002) . "\0" x 100);
refused("$dir/nosuch.image", 66, qr/cannot open image .*: No such file/);
refused("info $dir", 66, qr/cannot read/);
refused("info $text", 65, qr/no Spur image: it begins with 68 65 6c 6c/);
refused("$short", 65, qr/it has 2 bytes/);
refused("check $old", 65, qr/32-bit image of the format before Spur, with closures;/);
refused("check $swapped", 65, qr/64-bit image of the format before Spur/);

# --- Plugins that are not there
my $image = write_file('empty.image', pack('V', 6521) . "\0" x 2000);
my $image64 = write_file('prefixed.image', "#!osvm" . "\0" x 506 . pack('N', 68021 | 0x200) . "\0" x 2000);
refused("--core=oswm $image", 69, qr/no core plugin 'oswm' \(production\) for 32-bit heaps/);
refused("--core=oswm $image64", 69, qr/for 64-bit heaps/);
refused("--jit=pdp11 $image", 69, qr/no jit plugin 'pdp11'/);

# --- An image, in every world
for my $bits (32, 64) {
    my $made = "$dir/made$bits.image";
    ($status, $out, $err) = run("build image --bits=$bits -o $made");
    is("$status$err", '0', "an image of $bits bits is built");
    for my $options ('', '--world=denied', '--world=muted', '--check', '--gc=compact:checked',
        '--core=checked', '--eden=1M --max-heap=16M --stack-pages=8 --deterministic') {
        ($status, $out) = run("$options info $made");
        is($status, 0, "osvm $options info, $bits bits");
        like($out, qr/$bits-bit Spur image/, '... is about it');
    }
    refused("--world=faulty,fail=read:1 info $made", 65, qr/Input.output error/);
    refused("--world=faulty,fail=write:1 convert --bits=32 $made -o $dir/c.image", 73, qr/Input.output error/);
    ok(!-e "$dir/c.image", '... and nothing is left');
}
is(join(' ', grep { /\.tmp|c\.image/ } glob("$dir/* $dir/.*")), '', 'no temporary files');

# --- The list
($status, $out) = run('plugins');
like($out, qr/^KIND +NAME/, 'plugins');
like($out, qr/^gc +compact +production/m, '... lists the collector');
($status, $out) = run('plugins --json');
like($out, qr/^\[\n  \{"kind": "/, 'plugins --json');
eval { require JSON::PP; my $list = JSON::PP::decode_json($out);
       ok(@$list && !grep({ !$_->{file} } @$list), '... is JSON'); 1 } or fail("... is JSON: $@");
write_file('gc-text.so', "this is a text\n" x 100);
($status, $out) = run("--plugin-path=$dir plugins");
is($status, 69, 'a broken plugin: exit code');
like($out, qr/gc-text\.so\n +.*no ELF header/, '... and the reason');
$ENV{OSVM_PLUGIN_PATH} = $dir;
($status, $out) = run('plugins');
like($out, qr/gc-text\.so/, 'OSVM_PLUGIN_PATH');
delete $ENV{OSVM_PLUGIN_PATH};

# --- Standard streams
for my $command ('--version', '--help', 'plugins', 'help info') {
    my ($code, undef, $said) = run($command, '>/dev/full');
    is($code, 74, "osvm $command, full: exit code");
    like($said, qr/cannot write to standard output/, "osvm $command, full: message");
    ($code, undef, $said) = run($command, '>&-');
    is($code, 74, "osvm $command, closed: exit code");
    like($said, qr/cannot write to standard output/, "osvm $command, closed: message");
}
is(system("'$osvm' --gcc 2>&- >&- <&-") >> 8, 64, 'all streams closed: the exit code is told');

done_testing();
