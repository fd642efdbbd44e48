#include "agent/cli/cli.h"

int main(int argc, char** argv) { return sallyport::agent::RunCommandLine(argc, argv); }
