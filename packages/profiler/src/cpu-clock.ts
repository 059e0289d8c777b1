type Usage = () => { readonly user: number; readonly system: number };

/**
 * CPU milliseconds used so far by the calling thread, or by the whole process on a Node.js that cannot tell threads
 * apart (before 23.9).
 */
export function cpuNow(): number {
  const { threadCpuUsage } = process as { threadCpuUsage?: Usage };
  const usage = threadCpuUsage === undefined ? process.cpuUsage() : threadCpuUsage.call(process);
  return (usage.user + usage.system) / 1000;
}
