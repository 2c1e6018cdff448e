/*
 * panel.tsx - what floats: small panels under a button, drawers on the right, dialogs in the middle.
 *
 * Esc closes and gives the focus back to where it came from. A click beside a panel closes it.
 */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './basic';

const FOCUSABLE = 'input:not([disabled]),button:not([disabled]),select,textarea,a[href],[tabindex="0"]';

export interface PanelProps {
    label: ComponentChildren;
    title: string;
    class?: string;
    wide?: boolean;
    /** Placed by the window, not by what is around it: for buttons inside what scrolls. */
    float?: boolean;
    /** What the button does, where its label does not say so. */
    name?: string;
    why?: string | null;
    open?: boolean;
    onOpen?: (open: boolean) => void;
    children: (close: () => void) => ComponentChildren;
}

export function Panel({ label, title, class: cls, wide, float, name, why, open: forced, onOpen, children }: PanelProps): JSX.Element {
    const [own, setOwn] = useState(false);
    const open = forced ?? own;
    const root = useRef<HTMLDivElement>(null);
    const box = useRef<HTMLDivElement>(null);
    const button = useRef<HTMLButtonElement>(null);
    const id = useId();
    const set = (next: boolean): void => {
        setOwn(next);
        onOpen?.(next);
    };
    const close = (): void => {
        set(false);
        button.current?.focus();
    };
    useEffect(() => {
        if (!open) return undefined;
        const outside = (e: Event): void => {
            if (!root.current?.contains(e.target as Node)) set(false);
        };
        const scrolled = (e: Event): void => {
            if (!box.current?.contains(e.target as Node)) set(false);
        };
        document.addEventListener('pointerdown', outside, true);
        if (float) document.addEventListener('scroll', scrolled, true);
        return () => {
            document.removeEventListener('pointerdown', outside, true);
            document.removeEventListener('scroll', scrolled, true);
        };
    }, [open]);
    useLayoutEffect(() => {
        const b = box.current;
        if (!open || !b) return;
        // Stay inside the window: first where CSS puts it, then shifted by what sticks out.
        const at = button.current?.getBoundingClientRect();
        if (float && at && document.documentElement.clientWidth > 760) {
            const { width, height } = b.getBoundingClientRect();
            const below = at.bottom + 6 + height <= innerHeight - 8 || at.top < height + 14;
            b.style.top = `${below ? at.bottom + 6 : at.top - height - 6}px`;
            b.style.left = `${Math.max(8, Math.min(at.right - width, document.documentElement.clientWidth - width - 8))}px`;
        }
        const over = b.getBoundingClientRect().right - (document.documentElement.clientWidth - 8);
        if (over > 0 && getComputedStyle(b).position === 'absolute') b.style.left = `${-over}px`;
        (b.querySelector<HTMLElement>('[data-first]') ?? b.querySelector<HTMLElement>(FOCUSABLE))?.focus();
    }, [open]);
    return (
        <div class="panelhost" ref={root} onKeyDown={(e) => {
            if (e.key === 'Escape' && open) {
                e.stopPropagation();
                close();
            }
        }}>
            <button type="button" ref={button} class={cls} aria-haspopup="dialog" aria-expanded={open} aria-controls={open ? id : undefined} aria-label={name}
                aria-disabled={why ? 'true' : undefined} title={why ?? undefined} aria-description={why ?? undefined} onClick={() => (why ? undefined : set(!open))}>
                {label}
            </button>
            {open ? (
                <div class={`panel${wide ? ' wide' : ''}${float ? ' float' : ''}`} role="dialog" aria-label={title} id={id} ref={box} onFocusOut={(e) => {
                    const to = (e as FocusEvent).relatedTarget as Node | null;
                    if (to && !root.current?.contains(to)) set(false);
                }}>
                    <div class="panelhead"><h2>{title}</h2>
                        <button type="button" class="bare" aria-label="Close" onClick={close}><Icon name="close" /></button></div>
                    {children(close)}
                </div>
            ) : null}
        </div>
    );
}

export interface DialogProps {
    title: string;
    kind: 'middle' | 'drawer' | 'palette' | 'nav' | 'big';
    onClose: () => void;
    bare?: boolean;
    children: ComponentChildren;
}
export function Dialog({ title, kind, onClose, bare, children }: DialogProps): JSX.Element {
    const ref = useRef<HTMLDialogElement>(null);
    const id = useId();
    useLayoutEffect(() => {
        const d = ref.current;
        const from = document.activeElement as HTMLElement | null;
        if (d && !d.open) d.showModal();
        return () => {
            d?.close();
            from?.focus?.();
        };
    }, []);
    return (
        <dialog ref={ref} class={`dialog ${kind}`} aria-labelledby={bare ? undefined : id} aria-label={bare ? title : undefined}
            onCancel={(e) => {
                e.preventDefault();
                onClose();
            }}
            onPointerDown={(e) => {
                if (e.target === ref.current) onClose();
            }}>
            <div class="dialogbox">
                {bare ? null : (
                    <header class="dialoghead">
                        <h2 id={id} tabIndex={-1} {...(kind === 'drawer' || kind === 'big' ? { autofocus: true } : {})}>{title}</h2>
                        <button type="button" class="bare" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
                    </header>
                )}
                {children}
            </div>
        </dialog>
    );
}
