import { beforeEach, describe, expect, test } from 'vitest';
import { HistoryChecker } from './history-checker.ts';

const [A, B] = [0, 1] as const;
const [X, Y] = [0, 1] as const;
let history: HistoryChecker;

beforeEach(() => {
  history = new HistoryChecker(2, 2);
});

/** A process writes the source and deletes the key. */
function change(by: number, key: number): void {
  history.write(key);
  history.succeeded(history.invalidate(by, 'delete', [key]));
}

function read(by: number, key: number, version: number | undefined): void {
  history.endRead(history.startRead(by, key), version);
}

describe('the history checker finds', () => {
  test('a read of the process itself that is older than its delete', () => {
    change(A, X);
    read(A, X, 0);
    expect(history.violations).toEqual([expect.stringMatching(/read by 0 of key 0 returned 0, older than 1/)]);
    expect(history.violations[0]).toContain('delete');
  });

  test('the same after a delete that failed, as the process is to behave as if it had not', () => {
    history.write(X);
    history.failed(history.invalidate(A, 'delete', [X]), 'StoreError');
    read(A, X, 0);
    expect(history.violations).toHaveLength(1);
  });

  test('a read by another process that has seen a marker sent after the delete', () => {
    change(A, X);
    history.arrived(B, history.mark(A));
    read(B, X, 0);
    expect(history.violations).toEqual([expect.stringMatching(/read by 1 of key 0 returned 0, older than 1/)]);
  });

  test('an outdated read after quiescence, whatever was acknowledged', () => {
    history.write(Y);
    history.quiesced();
    read(B, Y, 0);
    expect(history.violations).toHaveLength(1);
  });

  test('the older of two changes, and each key of a change of many', () => {
    change(A, X);
    change(A, X);
    read(A, X, 1);
    history.write(X);
    history.write(Y);
    history.succeeded(history.invalidate(A, 'clear', [X, Y]));
    read(A, Y, 0);
    read(A, X, 2);
    expect(history.violations).toHaveLength(3);
  });

  test('a version that was never written', () => {
    read(A, X, 1);
    expect(history.violations).toEqual([expect.stringMatching(/not written yet/)]);
  });
});

describe('the history checker allows', () => {
  test('what is as new as the last change, newer, or not there', () => {
    change(A, X);
    read(A, X, 1);
    history.write(X);
    read(A, X, 2);
    read(A, X, undefined);
    expect(history.violations).toEqual([]);
  });

  test('an old value for a read that started before the delete was acknowledged', () => {
    history.write(X);
    const deletion = history.invalidate(A, 'delete', [X]);
    const early = history.startRead(A, X);
    history.succeeded(deletion);
    history.endRead(early, 0);
    expect(history.violations).toEqual([]);
  });

  test('the source to run ahead of what was invalidated', () => {
    history.write(X);
    const deletion = history.invalidate(A, 'delete', [X]);
    history.write(X);
    history.succeeded(deletion);
    read(A, X, 1);
    expect(history.violations).toEqual([]);
  });

  test('another process to lag until the marker arrives, and about what failed until quiescence', () => {
    const early = history.mark(A);
    change(A, X);
    history.arrived(B, early);
    read(B, X, 0);
    history.write(Y);
    history.failed(history.invalidate(A, 'delete', [Y]), 'BusError');
    history.arrived(B, history.mark(A));
    read(B, Y, 0);
    expect(history.violations).toEqual([]);
  });

  test('anything for a key in doubt, until quiescence', () => {
    change(A, X);
    history.doubt(X);
    read(A, X, 0);
    expect(history.violations).toEqual([]);
    history.quiesced();
    read(A, X, 0);
    expect(history.violations).toHaveLength(1);
  });
});
