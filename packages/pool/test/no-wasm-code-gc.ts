import { setFlagsFromString } from 'node:v8';

/**
 * Node strips the types of a TypeScript module with WebAssembly, in each worker anew. When V8 of Node 24 collects the code of that while many threads
 * come and go, it may end the process ("Check failed: end > addr" in `ThreadIsolation`; nodejs/node#64500 looks like the same). What is
 * published is JavaScript and needs none of it; these tests run the sources.
 */
setFlagsFromString('--no-wasm-code-gc');
