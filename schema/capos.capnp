@0xca905ca905000001;
# capOS: every interface, the manifest, the start block and the errors. The one source of truth: tools/schemac writes
# readers, builders, client stubs, dispatch tables, names for tracing and the reference pages from this file.
#
# A call answers on one of three layers, never mixed: a transport status (Status) in the completion; an Exception as
# message in the result buffer; a union in the results for outcomes that a caller expects.

annotation kernel @0xca905ca905000010 (interface) :Void;
# The object lives in the kernel: schemac writes its dispatch table.

annotation hosted @0xca905ca905000015 (interface) :Void;
# The object lives in the kernel of the linux machine only, where the host does the work; elsewhere a service has it.
# Its dispatch table is a file of its own.

annotation fork @0xca905ca905000011 (interface) :ForkPolicy;
# What a forked child finds under the same id.

annotation grant @0xca905ca905000012 (interface) :Grant;
# `capos run --grant NAME[=SPEC]` hands a program this interface.

annotation bound @0xca905ca905000013 (param, field) :Text;
# A limit that is part of the contract, for the reference page.

annotation move @0xca905ca905000014 (param, field) :Void;
# The capability is sent by move: the sender has it no longer.

enum ForkPolicy {
  copy @0;    # the same object
  rebind @1;  # "this process": made anew for the child
  drop @2;    # answers staleCapability in the child
}

struct Grant {
  name @0 :Text;
  spec @1 :Text;    # syntax of SPEC; empty: takes none
  allows @2 :Text;  # what it lets a program do, in words
  isDefault @3 :Bool;
}

# ---------------------------------------------------------------------------------------------------------- errors

enum Status {
  # The transport's answer in a completion (negated) and the result of every function of the kernel that may fail.
  ok @0;
  pending @1;           # kernel only: the answer comes later
  interrupted @2;       # cap_enter: an upcall came, or the count of upcalls was not the one given
  timedOut @3;
  badRing @4;           # indices of the ring out of bounds
  badEntry @5;          # a reserved field is not zero, a size or flag is out of bounds
  badOpcode @6;
  badAddress @7;        # a buffer is not there, or not writable
  badCapability @8;     # the id was never given out
  staleCapability @9;   # it was, and is released, moved or dropped
  inTransit @10;        # it is being moved at this moment
  wrongInterface @11;   # the object does not have the named interface
  unknownMethod @12;
  badMessage @13;       # not a well-formed message
  messageTooLarge @14;
  resultTooSmall @15;   # the operation has completed; its answer did not fit
  slotsExhausted @16;
  framesExhausted @17;
  threadsExhausted @18;
  callsExhausted @19;
  bytesExhausted @20;   # queued bytes or kernel memory
  mappingsExhausted @21;
  exception @22;        # the result buffer holds an Exception
  cancelled @23;
  disconnected @24;     # the other side is gone
  revoked @25;
  notFound @26;
  notSupported @27;
  timeNotGranted @28;   # a time-out in a process without Timer
  wouldBlock @29;       # kernel only
  alreadyExists @30;
  badState @31;
  overflow @32;         # an address or a size wraps
  aborted @33;          # the thread or process of the entry ended
  valueChanged @34;     # PARK: the word did not have the expected value
}

enum ExceptionType {
  failed @0;
  overloaded @1;
  disconnected @2;
  unimplemented @3;
  invalidArgument @4;
}

struct Exception {
  type @0 :ExceptionType;
  reason @1 :Text;
  argument @2 :Text;  # which argument, if one was at fault
}

enum DenialReason {
  notGranted @0;
  wrongType @1;
  attenuated @2;
  revoked @3;
  exhausted @4;
  unsupported @5;
}

struct Denial {
  # One refusal, as the host and `capos why` show it.
  process @0 :Text;
  interfaceId @1 :UInt64;
  method @2 :UInt16;
  name @3 :Text;       # what was looked up
  reason @4 :DenialReason;
  grant @5 :Text;      # the --grant that would have allowed it; empty: none would
}

# -------------------------------------------------------------------------------------------- starting a program

struct CapSetEntry {
  name @0 :Text;
  id @1 :UInt32;
  interfaceId @2 :UInt64;
}

struct StartBlock {
  # What a program finds when it starts. Its parent writes it; the kernel does not read it.
  arguments @0 :List(Text);
  environment @1 :List(Text);      # KEY=value
  currentDirectory @2 :Text;
  entryGate @3 :UInt64;            # address of the entry to the kernel
  capSet @4 :List(CapSetEntry);    # in the manifest's order; the process's own four come first
  randomSeed @5 :Data;             # 16 bytes for hash tables and stack protectors; not a source of secrets
}

enum ExitKind {
  exited @0;
  faulted @1;
  terminated @2;    # by ProcessHandle.terminate or by the end of the machine
  denied @3;        # the program said that it ends because something was refused
  outOfBudget @4;
  panicked @5;      # the program's own runtime found an error it cannot go on from
}

enum FaultCause {
  # As abi/upcall.h has them.
  none @0;
  pageFault @1;
  divide @2;
  illegalInstruction @3;
  breakpoint @4;
  protection @5;
  floatingPoint @6;
  interrupt @7;
  foreignSyscall @8;
}

enum FaultAccess {
  read @0;
  write @1;
  execute @2;
}

struct ExitStatus {
  kind @0 :ExitKind;
  code @1 :Int32;              # exited, denied, panicked
  cause @2 :FaultCause;        # faulted
  access @3 :FaultAccess;      # faulted by a page fault
  address @4 :UInt64;
  instruction @5 :UInt64;
  imageBase @6 :UInt64;        # where the program's image was mapped: symbols are relative to it
  backtrace @7 :List(UInt64);  # return addresses, innermost first
  exhausted @8 :Status;        # outOfBudget: what was
  denials @9 :List(Denial);    # the last ones, oldest first
}

struct Manifest {
  # What a machine runs. `capos run` writes it from its command line, mkimage from JSON.
  program @0 :Text;                 # name of the binary in the package that init starts
  arguments @1 :List(Text);
  environment @2 :List(Text);
  currentDirectory @3 :Text;
  grants @4 :List(ManifestGrant);
  binaries @5 :List(Text);          # the package's binaries, init excluded
  launchable @6 :List(Text);        # what the RestrictedLauncher grant may start
}

struct ManifestGrant {
  name @0 :Text;        # under which the program finds it
  interface @1 :Text;   # which interface; empty: that of the grant of this name
  spec @2 :Text;
}

# --------------------------------------------------------------------------------------- streams, time, entropy

interface Console $kernel $fork(copy)
    $grant((name = "console", spec = "", allows = "write lines to the machine's log")) {
  # Output for people who look after the machine: the kernel's log. No input.
  write @0 (data :Data $bound("1 KiB")) -> ();
  writeLine @1 (text :Text $bound("1 KiB")) -> ();
}

struct Readiness {
  # Bits of ready().
  const readable :UInt32 = 1;
  const writable :UInt32 = 2;
  const closed :UInt32 = 4;   # end of input, or nobody reads any more
}

interface StdIO $kernel $fork(copy)
    $grant((name = "stdio", spec = "", allows = "read standard input, write standard output and error",
            isDefault = true)) {
  # The three standard streams of the command that started the machine.
  read @0 (maxBytes :UInt32 $bound("32 KiB")) -> (data :Data, endOfInput :Bool);
  # Waits until there is at least one byte or the end.
  write @1 (data :Data $bound("32 KiB")) -> (written :UInt32);
  # Waits until all is taken; `disconnected` when nobody reads any more.
  writeError @2 (data :Data $bound("32 KiB")) -> (written :UInt32);
  ready @3 (mask :UInt32) -> (mask :UInt32);
  # Completes when one of the bits holds.
  isTerminal @4 (stream :UInt32) -> (isTerminal :Bool);
  # stream: 0 input, 1 output, 2 error.
  windowSize @5 () -> (columns :UInt16, rows :UInt16);
  # 0 by 0 when it is not a terminal.
}

interface Timer $kernel $fork(copy)
    $grant((name = "timer", spec = "", allows = "read monotonic time, sleep and use time-outs", isDefault = true)) {
  now @0 () -> (monotonicNs :UInt64, tick :UInt64);
  sleep @1 (ns :UInt64) -> ();
  page @2 () -> (address :UInt64);
  # Maps the time page (abi/time_page.h) into the caller and opens the time-stamp counter for it. Both stay, so a Timer
  # that can be revoked has none (exception, unimplemented).
  ready @3 (deadlineNs :UInt64) -> (monotonicNs :UInt64);
  # Completes when monotonic time has reached the deadline; cancellable without effect.
}

interface WallClock $fork(copy) {
  wallTime @0 () -> (unixNs :Int64, provenance :Text);
}

interface EntropySource $kernel $fork(copy)
    $grant((name = "random", spec = "", allows = "read random bytes", isDefault = true)) {
  fill @0 (count :UInt32 $bound("64")) -> (data :Data);
}

# ------------------------------------------------------------------------------------------- files and folders

enum FileError {
  # What may happen to who works with files; every result has one.
  none @0;
  notFound @1;
  exists @2;
  notADirectory @3;
  notAFile @4;
  notEmpty @5;
  readOnly @6;       # this object is; a denial as well
  badName @7;        # empty, ".", "..", or with a slash or a NUL in it; longer than the host allows
  otherKind @8;      # neither a file nor a folder: a symbolic link, a device, a socket; nobody gets those
  mountPoint @9;     # another file system begins there, which was not granted
  notPermitted @10;  # whoever started the machine may not do it either
  noSpace @11;
  tooBig @12;
  tooMany @13;       # the machine's host has no room for another open file
  busy @14;
  inputOutput @15;
}

enum FileKind {
  file @0;
  directory @1;
  other @2;
}

struct DirectoryEntry {
  name @0 :Text;  # the host's bytes; UTF-8 if they are
  kind @1 :FileKind;
}

struct OpenFlags {
  # Bits of Directory.open().
  const write :UInt32 = 1;      # else the File is read-only
  const create :UInt32 = 2;     # if it is not there; needs write, as the two below
  const exclusive :UInt32 = 4;  # `exists` if it is there; needs create
  const truncate :UInt32 = 8;
}

interface Directory $hosted $fork(copy)
    $grant((name = "dir", spec = "HOST[::GUEST][:ro]",
            allows = "read and write the files of this folder of the host, and nothing outside it; with :ro only read")) {
  # A folder. A name is one component: who wants a path walks it by sub(). What is got from a read-only Directory is
  # read-only.
  list @0 (cursor :UInt64, maxEntries :UInt32) -> (entries :List(DirectoryEntry), next :UInt64, error :FileError);
  # As many as fit the result buffer, without "." and "..". cursor: 0, then `next`, which is 0 at the end.
  open @1 (name :Text, flags :UInt32) -> (file :File, error :FileError);
  sub @2 (name :Text) -> (directory :Directory, error :FileError);
  createDirectory @3 (name :Text) -> (directory :Directory, error :FileError);
  remove @4 (name :Text) -> (error :FileError);
  # A file, or an empty folder. Of what is neither the name goes, and nothing that it leads to.
  rename @5 (name :Text, into :Directory, newName :Text) -> (error :FileError);
  # into: where it goes, this folder or another. Replaces a file, or an empty folder by a folder.
  stat @6 (name :Text) -> (size :UInt64, modified :Int64, kind :FileKind, error :FileError);
  # modified: seconds since 1970. No fraction: who may write is not to have a clock by that.
  readOnly @7 () -> (directory :Directory);
}

interface File $hosted $fork(copy) {
  # A regular file. Offsets and sizes in bytes; no position is kept.
  read @0 (offset :UInt64, length :UInt32 $bound("64 KiB")) -> (data :Data, error :FileError);
  # At least one byte, unless the offset is at the end or behind it; of the host's files all that there is and fits.
  write @1 (offset :UInt64, data :Data $bound("64 KiB")) -> (written :UInt32, error :FileError);
  # At least one byte. Behind the end: what is between is zero.
  stat @2 () -> (size :UInt64, modified :Int64, error :FileError);
  truncate @3 (size :UInt64) -> (error :FileError);
  # Cuts off, or adds zeros.
  sync @4 () -> (error :FileError);
  # Completes when all that was written would survive the host's sudden end.
  readOnly @5 () -> (file :File);
}

# ---------------------------------------------------------------------------------------------------- memory

enum Protection {
  none @0;
  read @1;
  readWrite @2;
  readExecute @3;  # an Image only; never together with write
}

interface VirtualMemory $kernel $fork(rebind) {
  # The caller's own address space. Addresses and sizes are multiples of the page size (4,096), or invalidArgument.
  map @0 (hint :UInt64, size :UInt64, protection :Protection) -> (address :UInt64);
  # Reserves and commits zeroed memory. A hint of 0, or one that is taken, leaves the choice to the kernel.
  unmap @1 (address :UInt64, size :UInt64) -> ();
  # Whatever is mapped in the range; holes are no error.
  protect @2 (address :UInt64, size :UInt64, protection :Protection) -> ();
  # The range must be mapped throughout.
  reserve @3 (hint :UInt64, size :UInt64) -> (address :UInt64);
  # Address space without memory; costs next to nothing, whatever its size.
  commit @4 (address :UInt64, size :UInt64, protection :Protection) -> ();
  # Makes part of a reservation usable; charged at once, zeroed when first touched.
  decommit @5 (address :UInt64, size :UInt64) -> ();
  # Gives the memory back and keeps the addresses.
  createObject @6 (size :UInt64) -> (object :MemoryObject);
  # Zeroed memory that can be mapped in several places and processes.
}

enum Sharing {
  shared @0;
  private @1;  # copy-on-write
}

interface MemoryObject $kernel $fork(copy) {
  # Memory with an identity. This is its writable side.
  info @0 () -> (size :UInt64, sealed :Bool);
  map @1 (hint :UInt64, offset :UInt64, size :UInt64, protection :Protection, sharing :Sharing) -> (address :UInt64);
  # Into the caller's address space.
  unmap @2 (address :UInt64, size :UInt64) -> ();
  protect @3 (address :UInt64, size :UInt64, protection :Protection) -> ();
  seal @4 () -> (image :Image);
  # Immutable from now on. Fails while a writable mapping or another writable capability exists.
  readOnly @5 () -> (object :ReadOnlyMemory);
}

interface ReadOnlyMemory $kernel $fork(copy) {
  # A MemoryObject's read-only side: maps read, or privately (copy-on-write).
  info @0 () -> (size :UInt64, sealed :Bool);
  map @1 (hint :UInt64, offset :UInt64, size :UInt64, protection :Protection, sharing :Sharing) -> (address :UInt64);
  unmap @2 (address :UInt64, size :UInt64) -> ();
}

interface Image $kernel $fork(copy) {
  # A sealed MemoryObject: the only memory that can be mapped executable. One of the boot package in any process; one that
  # a program sealed itself only by spawn and exec, in the new process: to run in one's own what one made is CodeMemory's.
  info @0 () -> (size :UInt64, sealed :Bool);
  map @1 (hint :UInt64, offset :UInt64, size :UInt64, protection :Protection, sharing :Sharing) -> (address :UInt64);
  unmap @2 (address :UInt64, size :UInt64) -> ();
}

interface CodeMemory $kernel $fork(rebind)
    $grant((name = "code", spec = "", allows = "run machine code that the program made itself")) {
  # Code made at run time: the process can run these pages and never write them; the kernel writes for it.
  reserve @0 (size :UInt64) -> (address :UInt64);
  write @1 (address :UInt64, bytes :Data) -> ();
  free @2 (address :UInt64, size :UInt64) -> ();
}

interface BootPackage $kernel $fork(copy)
    $grant((name = "boot", spec = "", allows = "read the machine's manifest and its binaries")) {
  manifestSize @0 () -> (size :UInt64);
  readManifest @1 (offset :UInt64, maxBytes :UInt32) -> (data :Data);
  binary @2 (name :Text) -> (image :Image);
}

# ------------------------------------------------------------------------------------------------- processes

struct GrantedCap {
  name @0 :Text;
  cap @1 :Capability;
}

interface ProcessSpawner $kernel $fork(rebind)
    $grant((name = "spawn", spec = "", allows = "start processes, each with what the program itself may hand on")) {
  spawn @0 (name :Text, image :Image, start :Data, grants :List(GrantedCap),
      limits :Limits) -> (handle :ProcessHandle);
  # start: a framed StartBlock. The grants get the ids of abi/capability.h, in their order.
  createPipe @1 () -> (reader :PipeReader, writer :PipeWriter);
  fork @2 () -> (handle :ProcessHandle, isChild :Bool);
  # Twice the caller returns; the child's answer has no handle.
  exec @3 (image :Image, start :Data, keep :List(UInt32)) -> ();
  # Replaces the caller's image. Answers only when it fails.
  createEndpoint @4 () -> (endpoint :Endpoint);
}

struct Limits {
  # Of the child's account, drawn from the caller's. 0: no limit of its own.
  frames @0 :UInt64;
  slots @1 :UInt32;
  threads @2 :UInt32;
  calls @3 :UInt32;
  kernelBytes @4 :UInt64;
}

interface RestrictedLauncher $kernel $fork(copy)
    $grant((name = "launch", spec = "PROGRAM[,PROGRAM...]", allows = "start these programs of the package, no others")) {
  launch @0 (name :Text, start :Data, grants :List(GrantedCap)) -> (handle :ProcessHandle);
  list @1 () -> (names :List(Text));
}

interface ProcessHandle $kernel $fork(drop) {
  wait @0 () -> (status :ExitStatus);
  # Any number of waiters.
  terminate @1 () -> ();
  ready @2 (mask :UInt32) -> (mask :UInt32);
  # Readable: it has ended.
  stats @3 () -> (frames :UInt64, slots :UInt32, threads :UInt32, calls :UInt32, cpuNs :UInt64);
}

interface PipeReader $kernel $fork(copy) {
  read @0 (maxBytes :UInt32 $bound("32 KiB")) -> (data :Data, endOfFile :Bool);
  # Waits until there is at least one byte, or no writer any more.
  ready @1 (mask :UInt32) -> (mask :UInt32);
}

interface PipeWriter $kernel $fork(copy) {
  write @0 (data :Data $bound("32 KiB")) -> (written :UInt32);
  # Waits until all is taken; `disconnected` when nobody can read it any more.
  ready @1 (mask :UInt32) -> (mask :UInt32);
}

interface Endpoint $kernel $fork(drop) {
  # The owner's side: RECV and RETURN on the ring, and these.
  mint @0 (interfaceId :UInt64, tag :UInt64) -> (facet :Capability);
  revocable @1 (cap :Capability) -> (forwarder :Capability, cutter :Cutter);
}

interface Cutter $kernel $fork(copy) {
  cut @0 () -> ();
  # What was passed on through the forwarder works no longer. Idempotent.
}

# --------------------------------------------------------------------------------------------------- threads

interface ThreadSpawner $kernel $fork(rebind) {
  spawn @0 (entry :UInt64, stack :UInt64, argument :UInt64, fsBase :UInt64, ringEntries :UInt32)
      -> (handle :ThreadHandle, ring :UInt64);
  # stack: its top. ringEntries: of the SQ, a power of two; 0: the default.
}

interface ThreadHandle $kernel $fork(drop) {
  join @0 () -> (code :UInt64);
  detach @1 () -> ();
  # A detached thread's join answers badState.
}

interface ThreadControl $kernel $fork(rebind) {
  # Of whichever thread calls it.
  setFsBase @0 (address :UInt64) -> ();
  # WRFSBASE and WRGSBASE work on most machines, but not on all; where they do not, the base that they set may be lost.
  exit @1 (code :UInt64) -> ();
  # Does not answer. The last thread's exit ends the process with the code.
  interrupt @2 (thread :ThreadHandle) -> ();
  setUpcall @3 (entry :UInt64, stackBase :UInt64, stackSize :UInt64) -> ();
  # entry 0: none.
  reportDenial @4 (interfaceId :UInt64, method :UInt16, name :Text, reason :DenialReason, grant :Text) -> ();
  # A refusal that the program's own runtime made, such as a name that is not in the CapSet.
  panicMessage @5 (text :Text) -> ();
  # A line to the machine's log, for a runtime that cannot go on.
  setGsBase @6 (address :UInt64) -> ();
}

interface ParkSpace $kernel $fork(rebind) {
  # PARK and UNPARK on the ring name it; it has no methods.
}
