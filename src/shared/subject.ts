/** Subject by itself: all of rxjs takes 0.1 s to load, which every command would pay. */
export { Subject } from 'rxjs/internal/Subject';
