import { LazyMeter } from '@perf/core';

/** The one meter of the package. */
export const meter: LazyMeter = /* @__PURE__ */ new LazyMeter('@perf/memory');
