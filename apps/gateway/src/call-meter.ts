import { LazyMeter } from '@perf/core';
import { Profiler } from '@perf/profiler';
import type { ToolResult } from './upstream/session.ts';

/** Measures the calls of tools: how many there were, how many failed, and how long each took, for the profiler and for OpenTelemetry. */
export class CallMeter {
  /** Times of every call, by public tool name. */
  readonly profiler: Profiler = new Profiler({ name: 'gateway' });
  readonly #duration = new LazyMeter('@perf/gateway').histogram('mcp.server.operation.duration', {
    unit: 's',
    description: 'Duration of the tool calls that the gateway answered',
    advice: {
      explicitBucketBoundaries: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
    },
  });
  #total = 0;
  #failed = 0;

  /** Calls begun. */
  get total(): number {
    return this.#total;
  }

  /** Calls that rejected, or whose tool answered an error. */
  get failed(): number {
    return this.#failed;
  }

  async measure(tool: string, call: () => Promise<ToolResult>): Promise<ToolResult> {
    this.#total++;
    const started = performance.now();
    const span = this.profiler.span(tool);
    let outcome = 'error';
    try {
      const result = await call();
      outcome = result.isError === true ? 'tool_error' : 'ok';
      return result;
    } finally {
      const failed = outcome !== 'ok';
      if (failed) this.#failed++;
      span.end(failed);
      this.#duration.record((performance.now() - started) / 1_000, {
        'mcp.method.name': 'tools/call',
        'gen_ai.tool.name': tool,
        ...(failed && { 'error.type': outcome }),
      });
    }
  }
}
