/** Whether `text` matches `glob`, in which `*` stands for any characters. Linear in time for one star, never exponential. */
export const matchGlob = (glob: string, text: string): boolean => {
  let [at, inGlob, starAt, resumeAt] = [0, 0, -1, 0];
  while (at < text.length) {
    if (glob[inGlob] === '*') [starAt, resumeAt, inGlob] = [inGlob, at, inGlob + 1];
    else if (glob[inGlob] === text[at]) [at, inGlob] = [at + 1, inGlob + 1];
    else if (starAt >= 0) [resumeAt, at, inGlob] = [resumeAt + 1, resumeAt + 1, starAt + 1];
    else return false;
  }
  while (glob[inGlob] === '*') inGlob += 1;
  return inGlob === glob.length;
};
