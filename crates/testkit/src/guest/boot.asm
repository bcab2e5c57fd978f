; boot.asm - boot sector of the sample machine that boots. It prints on COM1 (115200 8n1):
;
;   HVM-GUEST BEGIN
;   DISK <BIOS number> SECTORS <number, 8 hex digits> SUM <8 hex digits>      one line for each disk of the BIOS
;   HVM-GUEST END
;
; and powers the machine off. SUM runs over the dwords of the first 2048 sectors: rotate left by one, then add.
; Assemble: nasm -f bin boot.asm -o boot.bin
        org     7C00h
        bits    16
PORT    equ     3F8h
BUFFER  equ     8000h           ; eight sectors at a time
PARAMS  equ     0600h           ; drive parameters of INT 13h, AH=48h

start:  jmp     0:clean
clean:  cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 7C00h
        sti
        cld
        mov     si, serial
.setup: lodsw                   ; AL = register, AH = value
        cmp     al, 0FFh
        je      .ready
        mov     dx, PORT
        add     dl, al
        mov     al, ah
        out     dx, al
        jmp     .setup
.ready: mov     si, begin
        call    print

disk:   mov     si, PARAMS
        mov     word [si], 26
        mov     dl, [number]
        mov     ah, 48h
        int     13h
        jc      done
        mov     si, text_disk
        call    print
        mov     al, [number]
        call    hex8
        mov     si, text_size
        call    print
        mov     eax, [PARAMS + 16]
        call    hex32
        xor     ebp, ebp
        and     dword [packet + 8], 0
.read:  mov     si, packet
        mov     dl, [number]
        mov     ah, 42h
        int     13h
        jc      failed
        mov     si, BUFFER
        mov     cx, 1024
.add:   lodsd
        rol     ebp, 1
        add     ebp, eax
        loop    .add
        add     word [packet + 8], 8
        cmp     word [packet + 8], 2048
        jb      .read
        mov     si, text_sum
        call    print
        mov     eax, ebp
        call    hex32
        mov     si, newline
        call    print
        inc     byte [number]
        jmp     disk

failed: mov     si, text_failed
        call    print
done:   mov     si, end
        call    print
        mov     dx, PORT + 5
.drain: in      al, dx
        test    al, 40h
        jz      .drain
        mov     dx, 604h        ; ACPI power off of QEMU's PC
        mov     ax, 2000h
        out     dx, ax
        mov     ax, 5301h       ; APM: connect, enable, power off
        xor     bx, bx
        int     15h
        mov     ax, 5308h
        mov     bx, 1
        mov     cx, 1
        int     15h
        mov     ax, 5307h
        mov     bx, 1
        mov     cx, 3
        int     15h
.halt:  hlt
        jmp     .halt

print:  lodsb
        test    al, al
        jz      .end
        call    put
        jmp     print
.end:   ret

put:    push    dx
        push    ax
        mov     dx, PORT + 5
.wait:  in      al, dx
        test    al, 20h
        jz      .wait
        pop     ax
        mov     dx, PORT
        out     dx, al
        pop     dx
        ret

hex32:  mov     cx, 4
.next:  rol     eax, 8
        push    cx
        call    hex8
        pop     cx
        loop    .next
        ret
hex8:   push    ax
        shr     al, 4
        call    digit
        pop     ax
        push    ax
        and     al, 15
        call    digit
        pop     ax
        ret
digit:  push    ax
        add     al, '0'
        cmp     al, '9'
        jbe     .put
        add     al, 'A' - '9' - 1
.put:   call    put
        pop     ax
        ret

number: db      80h
packet: db      16, 0
        dw      8, BUFFER, 0
        dq      0
serial: db      3, 80h,  0, 1,  1, 0,  3, 3,  0FFh, 0
begin:  db      "HVM-GUEST BEGIN", 13, 10, 0
text_disk: db   "DISK ", 0
text_size: db   " SECTORS ", 0
text_sum: db    " SUM ", 0
text_failed: db " READ ERROR", 13, 10, 0
end:    db      "HVM-GUEST END"
newline: db     13, 10, 0
        times   440 - ($ - $$) db 0
        times   510 - ($ - $$) db 0     ; disk signature and partition table stay free
        dw      0AA55h
