/** How the gateway introduces itself, to its clients and to the servers behind it. */
export const IDENTITY: { readonly name: string; readonly version: string } = { name: 'perf-gateway', version: '0.1.0' };
