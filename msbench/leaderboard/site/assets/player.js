// Plays the mixture, the reference and the estimates of a track in sync: all run at once, one is heard.
(function () {
  "use strict";
  const { load, make } = msbench;

  const FADE = 0.015; // seconds: a switch without a click

  msbench.player = function (place) {
    let context = null;
    let tracks = []; // of {gain, buffer}
    let nodes = [];
    let heard = 0;
    let started = 0; // the context's time at which second 0 would have been
    let offset = 0;
    let playing = false;
    let token = 0;
    const state = { get playing() { return playing; }, get seconds() { return now(); }, get heard() { return heard; },
      get buffers() { return tracks.map((t) => t.buffer.duration); } };
    place.player = state;

    const length = () => (tracks.length ? Math.min(...tracks.map((t) => t.buffer.duration)) : 0);
    const now = () => (playing ? Math.min(context.currentTime - started, length()) : offset);

    function stop() {
      offset = now();
      playing = false;
      nodes.forEach((node) => { node.onended = null; node.stop(); });
      nodes = [];
    }

    function start() {
      if (offset >= length() - 0.01) offset = 0;
      const when = context.currentTime + 0.05;
      started = when - offset;
      nodes = tracks.map((t) => {
        const node = new AudioBufferSourceNode(context, { buffer: t.buffer });
        node.connect(t.gain);
        node.start(when, offset);
        return node;
      });
      playing = true;
    }

    function hear(k) {
      heard = k;
      tracks.forEach((t, i) => t.gain.gain.setTargetAtTime(i === k ? 1 : 0, context.currentTime, FADE));
    }

    async function decode(sources) {
      context ??= new AudioContext();
      const files = await Promise.all(sources.map((source) => load(source.audio)));
      const buffers = await Promise.all(files.map((base64) => {
        const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
        return context.decodeAudioData(bytes.buffer);
      }));
      return buffers.map((buffer, i) => {
        const gain = new GainNode(context, { gain: i === heard ? 1 : 0 });
        gain.connect(context.destination);
        return { gain, buffer };
      });
    }

    state.show = show;
    function show(sound, name, target) {
      if (playing) stop();
      token += 1;
      const mine = token;
      tracks.forEach((t) => t.gain.disconnect());
      tracks = [];
      offset = 0;
      heard = 0;
      const sources = sound ? sound.filter((s) => s.target === null || s.target === target) : [];
      if (!sources.length) {
        place.replaceChildren(make("p", { className: "quiet" }, "No excerpt of this track is published with this board."));
        return;
      }
      const button = make("button", { type: "button" }, "Play");
      const clock = make("span", { className: "quiet" }, "0.0 s");
      const slider = make("input", { type: "range", min: "0", max: String(sources[0].seconds), step: "0.01", value: "0", "aria-label": "Position in seconds" });
      const group = make("fieldset", { className: "sources" }, make("legend", { className: "unseen" }, "Which is heard"));
      const lines = [];
      sources.forEach((source, i) => {
        const radio = make("input", { type: "radio", name: "heard", value: String(i), checked: i === 0 });
        const line = make("i");
        lines.push(line);
        radio.addEventListener("change", () => { heard = i; if (tracks.length) hear(i); });
        group.append(make("label", {}, make("span", { className: "what" }, radio, make("span", { title: source.label }, source.label)),
          make("span", { className: "spectrogram" }, make("img", { src: source.picture, alt: `Spectrogram of ${source.label}` }), line)));
      });
      place.replaceChildren(make("div", { className: "transport" }, button, slider, clock), group,
        make("p", { className: "note" }, `Excerpt of ${sources[0].seconds.toFixed(0)} s from ${sources[0].start.toFixed(1)} s of the track, coded as MP3 for listening; scores are of the whole track. Spectrograms: 0 to ${(sources[0].hertz / 1000).toFixed(0)} kHz, 80 dB below full scale.`));

      const tick = () => {
        if (mine !== token) return;
        if (playing && now() >= length()) { stop(); offset = 0; }
        button.textContent = playing ? "Pause" : "Play";
        slider.value = String(now());
        clock.textContent = `${now().toFixed(1)} s`;
        const part = `${(100 * now()) / sources[0].seconds}%`;
        lines.forEach((line) => { line.style.left = part; });
        if (playing) requestAnimationFrame(tick);
      };
      button.addEventListener("click", async () => {
        try {
          if (!tracks.length) {
            button.disabled = true;
            button.textContent = "Loading";
            const decoded = await decode(sources);
            if (mine !== token) return;
            tracks = decoded;
            hear(heard);
            button.disabled = false;
          }
          await context.resume();
          if (playing) stop();
          else start();
        } catch (error) {
          button.disabled = false;
          clock.textContent = `cannot be played: ${error.message}`;
          return;
        }
        button.focus();
        tick();
      });
      slider.addEventListener("input", () => {
        const running = playing;
        if (running) stop();
        offset = Number(slider.value);
        if (running) start();
        tick();
      });
    }
    return state;
  };
})();
