/** A range of integers, `from` included and `to` not. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** How many primes the range holds, by trial division: a task that is nothing but CPU. Runs on a worker, and here for comparison. */
export function countPrimes({ from, to }: Range): number {
  let count = 0;
  for (let candidate = Math.max(2, from); candidate < to; candidate++) {
    let isPrime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) {
      if (candidate % divisor === 0) {
        isPrime = false;
        break;
      }
    }
    if (isPrime) count++;
  }
  return count;
}
