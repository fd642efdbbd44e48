#pragma once

namespace sallyport {

// protobuf writes lines of its own to stderr, past our log: of text from a peer that is not UTF-8,
// for instance, which any stranger can send to an API. Both hold for the whole process and are
// called before it has other threads. What ends the process is always said.

// As lines of our log, event `protobuf`, few of many, and how many were left out: for a program
// that serves.
void LogProtobufAsJson();

// Not at all: for a client, whose own message says what failed.
void SilenceProtobuf();

}  // namespace sallyport
