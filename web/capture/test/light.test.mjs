// The screen's light: never more than three changes in a second, whatever the
// timers do, and labels only where the picture has caught up.
import assert from 'node:assert/strict';
import test from 'node:test';
import { drawOrder, Lamp, STEP_MS, UNKNOWN } from '../src/light.ts';

test('every order has as much light as dark and changes more than once', () => {
  const seen = new Set();
  for (let i = 0; i < 500; i++) {
    const o = drawOrder();
    assert.equal(o.length, 6);
    assert.equal(o.filter(Boolean).length, 3);
    seen.add(o.join());
  }
  assert.ok(!seen.has('true,true,true,false,false,false') && !seen.has('false,false,false,true,true,true'));
  assert.ok(seen.size <= 18 && seen.size > 9, `${seen.size} orders`);
});

test('changes keep their distance when ticks come late', () => {
  for (const late of [0, 30, 390, 799, 2500]) {
    const at = [];
    let now = 0;
    const lamp = new Lamp([true, false, true, false, true, false], () => at.push(now), 0);
    for (now = 5; now < 9000; now += 5) {
      if (now < 100 || now > 100 + late) lamp.tick(now);
    }
    assert.equal(at.length, 6);
    for (let i = 1; i < at.length; i++) assert.ok(at[i] - at[i - 1] >= STEP_MS, `${late}: ${at}`);
  }
});

test('a frame just after a change has no label', () => {
  const lamp = new Lamp([false, true, true, false], () => undefined, 1000);
  assert.equal(lamp.light(1100), UNKNOWN);
  assert.equal(lamp.light(1200), 0);
  lamp.tick(1400);
  assert.equal(lamp.light(1500), UNKNOWN);
  assert.equal(lamp.light(1600), 100);
  lamp.tick(1800); // bright again: no change
  assert.equal(lamp.light(1810), 100);
});
