// The command line; everything it does lives in libplumb (lab/cli).
#include "lab/cli/command.h"

int main(int argc, char** argv) { return plumb::cli::run_command_line(argc, argv); }
