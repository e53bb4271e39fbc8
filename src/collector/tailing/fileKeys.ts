/** What files that are tailed are known by: a job and a path, a job and an inode, their names. */

export function pathKey(job: string, path: string): string {
  return `${job}\0${path}`;
}

export function inodeKey(
  job: string,
  file: { readonly device: number; readonly inode: number },
): string {
  return `${job}\0${file.device}:${file.inode}`;
}

/** Where a file is, and the target that leads to it. */
export function namesOf(
  { path, target }: { readonly path: string; readonly target: string | undefined },
): ReadonlyArray<string> {
  return target === undefined || target === path ? [path] : [path, target];
}
