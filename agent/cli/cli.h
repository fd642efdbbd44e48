#pragma once

namespace sallyport::agent {

// sallyport-agent serve --config F | config check F | version. The exit code: 0 done, 1 refused or
// failed, 2 usage.
int RunCommandLine(int argc, char** argv);

}  // namespace sallyport::agent
