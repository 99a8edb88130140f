/**
 * One preparation at a time: a folder that names its owner. Free → held (renamed into place) → free (renamed away and
 * removed), or stale when its owner died or fell silent, and then taken over.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, rmdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { say } from './prepare-report.mjs';

const ownerFile = (lock) => join(lock, 'pid');
const beatEveryMs = 2_000;
const silentAfterMs = 30_000;

/**
 * Runs `work` while holding the lock, a folder naming its owner. The owner touches it every now and then; a lock whose
 * owner is dead is taken over at once, one that is not touched any more (its process id now belongs to another
 * process, or to another container) after half a minute.
 */
export async function withLock(lock, work) {
  for (let watch = { beat: undefined, since: 0, told: false }; !tryLock(lock); await delay(100)) {
    watch = breakStaleLock(lock, watch);
  }
  const release = () => {
    if (readOwner(lock) === String(process.pid)) removeLock(lock);
  };
  const beat = setInterval(() => {
    if (readOwner(lock) === String(process.pid)) utimesSync(lock, new Date(), new Date());
  }, beatEveryMs);
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    process.off('exit', release);
    release();
  }
}

function readOwner(lock) {
  try {
    return readFileSync(ownerFile(lock), 'utf8');
  } catch {
    return undefined;
  }
}

/** In one go: an emptied folder that still had the name could be taken by another process halfway. */
function removeLock(lock) {
  const aside = `${lock}.removed.${process.pid}`;
  renameSync(lock, aside);
  rmSync(aside, { recursive: true });
}

/** The folder gets its owner before it gets its name, so that no lock is ever seen without one. */
function tryLock(lock) {
  const own = `${lock}.${process.pid}`;
  mkdirSync(own, { recursive: true });
  writeFileSync(ownerFile(own), String(process.pid));
  try {
    // renaming a folder onto one that is not empty fails: this is what makes it a lock
    renameSync(own, lock);
    return true;
  } catch {
    rmSync(own, { recursive: true, force: true });
    return false;
  }
}

function breakStaleLock(lock, watch) {
  const owner = readOwner(lock);
  const beat = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
  // released meanwhile
  if (owner === undefined || beat === undefined) return watch;
  const now = Date.now();
  const since = beat === watch.beat ? watch.since : now;
  if (!isRunning(Number(owner)) || now - since > silentAfterMs) {
    underGuard(`${lock}.breaking`, () => {
      if (readOwner(lock) === owner && statSync(lock).mtimeMs === beat) removeLock(lock);
    });
    return watch;
  }
  if (!watch.told) say(`waiting for another preparation (process ${owner}) to end…`);
  return { beat, since, told: true };
}

/** Of several processes that see the same stale lock one may look again and remove it, or a fresh one might go. */
function underGuard(guard, remove) {
  try {
    mkdirSync(guard);
  } catch {
    const age = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Infinity);
    if (age > silentAfterMs) rmSync(guard, { recursive: true, force: true });
    return;
  }
  try {
    remove();
  } finally {
    rmdirSync(guard);
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, under another user
    return error.code === 'EPERM';
  }
  return !isZombie(pid);
}

/** Ended, and not reaped by its parent: where process 1 reaps nobody, such a process id stays for good. */
function isZombie(pid) {
  try {
    // pid (command) state …; the command may contain anything, brackets too
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .startsWith('Z');
  } catch {
    return false;
  }
}
