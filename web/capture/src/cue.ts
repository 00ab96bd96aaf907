// The short sound of a shutter, for those who do not look at the screen. Made, not
// loaded; a browser that does not let it sound changes nothing.

let audio: AudioContext | null = null;

export function click(): void {
  try {
    audio ??= new AudioContext();
    const at = audio.currentTime;
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    tone.frequency.setValueAtTime(1400, at);
    gain.gain.setValueAtTime(0.08, at);
    gain.gain.exponentialRampToValueAtTime(0.0001, at + 0.07);
    tone.connect(gain).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.08);
  } catch {
    /* no sound here */
  }
}
