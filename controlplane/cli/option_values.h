#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

// Checks of options' values, which complain as one: the value, what is expected, and an example.
namespace sallyport::controlplane {

// One of the words, which are not empty.
CLI::Validator OneOf(std::vector<std::string> words);

// A whole number in decimal, `least` or more.
CLI::Validator WholeNumber(uint64_t least = 0);

// KIND/NAME=VERSION, or a version alone.
CLI::Validator ABaseVersion();

// An agent's name, a server's name.
CLI::Validator AnAgentName();
CLI::Validator AServerName();

// A principal as people write it: REALM:NAME.
CLI::Validator APrincipal();

// A time such as 2026-11-26T09:00:00Z.
CLI::Validator ATime();

// The same, or how far back from now, such as 7d.
CLI::Validator ATimeBack();

}  // namespace sallyport::controlplane
