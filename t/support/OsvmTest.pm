package OsvmTest;

# What the test scripts share: the VM under test, a folder of the script's own, files, commands.
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

our @EXPORT = qw($build $osvm $dir write_file read_file run_command has_plugin sanitizers install_tree);

our $build = abs_path($ENV{BUILD} || ($ENV{OSVM} ? dirname($ENV{OSVM}) : 'build'));
our $osvm  = abs_path($ENV{OSVM} || "$build/osvm");
our $dir   = tempdir(CLEANUP => 1);    # gone when the script ends
# The plugins are those of the build, and a make that is run has nothing of the one that runs the tests.
delete @ENV{qw(OSVM_PLUGIN_PATH MAKEFLAGS MAKELEVEL MFLAGS)};

# Writes a file, in the script's folder if its name says no other, and the folders it is in; answers its path.
sub write_file {
    my ($name, @text) = @_;
    my $path = $name =~ m{^/} ? $name : "$dir/$name";
    make_path(dirname($path));
    open my $file, '>:raw', $path or die "$path: $!\n";
    print $file @text;
    close $file or die "$path: $!\n";
    return $path;
}

# What is in the file; undef if it cannot be read.
sub read_file {
    my ($path) = @_;
    open my $file, '<:raw', $path or return;
    local $/;
    return scalar <$file> // '';
}

# Runs a command line of the shell, with redirections that come last; answers its exit status (or which signal
# ended it), its standard output and its standard error.
sub run_command {
    my ($command, $redirections) = @_;
    my $out = `$command 2>$dir/.err @{[$redirections // '']}`;
    return ($? & 127 ? 'signal ' . ($? & 127) : $? >> 8, $out, read_file("$dir/.err"));
}

sub has_plugin {
    my ($kind, $name) = @_;
    return `$osvm plugins` =~ /^\Q$kind\E +\Q$name\E /m;
}

# The flag that the build was sanitized with; '' without.
sub sanitizers {
    return (read_file("$build/flags") // '') =~ /(-fsanitize=\S+)/ ? $1 : '';
}

# Installs the build as it is, since other tests use it at the same time, below the script's folder with /usr as
# prefix; answers what make said if it failed.
sub install_tree {
    my $said = `make install BUILD='$build' INSTALL_ONLY=yes DESTDIR='$dir' PREFIX=/usr 2>&1`;
    return $? ? $said || 'make failed' : undef;
}

1;
